{{ config(tags=['base']) }}
-- The project's own study: CO2 of every city on each pilot programme, with the controls that the
-- yearbooks and compiled tables at hand support.
select
    {{ sample_identity(2000) }},
    {{ ln_pos('wide.co2_edgar') }} as ln_co2,
    flags.bigdata_narrow as bigdata,
    flags.innovative,
    flags.smart_city,
    flags.low_carbon,
    flags.dual,
    flags.broadband,
    flags.carbon_ets,
    {{ ln_pos('wide.grp * 10000 / nullif(wide.pop_resident, 0)') }} as ln_grp_pc,
    wide.share_secondary,
    {{ ln_pos('vars.resident_density') }} as ln_density,
    vars.loans_share as loans_grp,
    flags.bigdata_narrow_year as bigdata_year,
    flags.innovative_year,
    flags.smart_city_year,
    flags.low_carbon_year,
    flags.dual_year,
    flags.broadband_year,
    flags.carbon_ets_year
{{ sample_from() }}
where {{ is_current_city() }} and vars.year between 2000 and 2023
order by vars.city_code, vars.year
