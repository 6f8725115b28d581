{{ config(tags=['outcomes']) }}
-- Study B: 284 cities (int_cities_b says which), 2004-2020.
select
    {{ sample_identity(2004) }},
    outcomes.syeff,
    outcomes.preff,
    outcomes.creff,
    flags.innovative,
    vars.population_density / 100 as pop,
    {{ ln_pos('vars.grp_per_capita_real') }} as lnpgdp,
    vars.fiscal_expenditure_share * 100 as gov,
    {{ ln_pos('vars.students_per_capita * 1000000') }} as hc,
    vars.environment_attention * 100 as er,
    vars.fdi_share * 100 as fdi,
    ln(1 + wide.patents_invention_authorised) as ln_invention,
    ln(1 + wide.patents_green_invention) as ln_green,
    ln(1 + wide.patents_digital) as ln_digital,
    wide.patents_invention_authorised / 1000 as invg,
    wide.patents_green_invention / 1000 as ingrvg,
    wide.patents_digital / 1000 as indivg,
    vars.tertiary_to_secondary as is_upgrade,
    vars.magg,
    vars.magg_percent,
    vars.sagg,
    vars.coag,
    groups.concession_port * vars.national_rd_last_year / 1000 as iv_port,
    groups.rail1933 * vars.national_rd_last_year / 1000 as iv_rail1933,
    flags.low_carbon,
    flags.smart_city,
    flags.civilized_city,
    flags.carbon_ets,
    vars.key_enterprise_share as emission_pressure_ratio,
    cast(
        avg(vars.key_enterprise_share) over (partition by vars.city_code)
        > avg(vars.key_enterprise_share) over ()
        as integer
    ) as emission_pressure,
    vars.grp_per_capita_real as grp_pc,
    flags.innovative_year,
    flags.low_carbon_year,
    flags.smart_city_year,
    flags.civilized_city_year,
    flags.carbon_ets_year
{{ sample_from() }}
left join {{ ref('int_outcomes') }} as outcomes
    on vars.city_code = outcomes.city_code and vars.year = outcomes.year
inner join {{ ref('int_cities_b') }} as in_sample
    on vars.city_code = in_sample.city_code
where vars.year between 2004 and 2020
order by vars.city_code, vars.year
