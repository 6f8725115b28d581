{{ config(tags=['base']) }}
-- Study D: 2003-2020, the cities of int_cities_d. Wage, roads, science spending and green cover are
-- decimal logarithms, the reading that the means of the study's table 2 support (wage 4.53 = log10 of
-- 34 thousand yuan); natural logarithms would only rescale their coefficients. carbon is a natural
-- logarithm of tonnes, carbon_log10 the decimal one that a constant of 5.3 points to.
select
    {{ sample_identity(2003) }},
    {{ ln_pos('vars.carbon_t') }} as carbon,
    {{ log10_pos('vars.carbon_t') }} as carbon_log10,
    vars.carbon_intensity,
    flags.smart_city_batch as smart_policy,
    {{ log10_pos('wide.wage_average') }} as wage,
    vars.broadband_per_capita as pinf,
    vars.fiscal_autonomy as fiscal,
    {{ log10_pos('wide.road_area_per_capita') }} as infra,
    vars.fdi_share as fdi,
    {{ log10_pos('wide.expenditure_science') }} as sic,
    {{ log10_pos('wide.green_coverage') }} as green,
    {{ log10_pos('vars.industrial_upgrading') }} as ind_pro,
    vars.industrial_upgrading / 10000 as ind_pro_level,
    flags.low_carbon,
    flags.innovative,
    flags.carbon_ets,
    coalesce(
        max(case when vars.year = 2019 then wide.digital_china_index end) over (partition by vars.city_code),
        max(wide.digital_china_index) over (partition by vars.city_code)
    ) as digital_index,
    vars.green_patents_per_researcher as green_innovation,
    {{ ln_pos('vars.students_per_capita * 10000') }} as hc_log,
    {{ ln_pos('wide.grp_per_capita') }} as grp_pc_log,
    vars.economic_density as econ_agglomeration,
    -vars.so2_intensity as env_regulation,
    flags.smart_city_batch_year as smart_year,
    cast(flags.smart_city_batch_year is not null as integer) as treat,
    flags.low_carbon_year,
    flags.innovative_year,
    flags.carbon_ets_year
{{ sample_from() }}
inner join {{ ref('int_cities_d') }} as in_sample
    on vars.city_code = in_sample.city_code
where vars.year between 2003 and 2020
order by vars.city_code, vars.year
