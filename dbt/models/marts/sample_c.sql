{{ config(tags=['base']) }}
-- Study C: 2006-2023, today's 297 cities (the study counts 298; its list is not printed).
select
    {{ sample_identity(2006) }},
    vars.dia,
    flags.dual,
    flags.dual_individual,
    flags.smart_city,
    flags.low_carbon,
    {{ ln_pos('wide.grp_per_capita') }} as pgdp,
    vars.deposits_loans_share as findev,
    vars.fdi_share * 100 as open,
    vars.science_in_spending as govsup,
    wide.marketisation_index as mktz,
    vars.urban_share as urb,
    ln(1 + wide.patents_digital) as dti,
    ln(1 + wide.patents_green) as gti,
    vars.students_per_capita as hc,
    flags.broadband,
    flags.carbon_ets,
    wide.pm25,
    flags.dual_year,
    flags.smart_city_year,
    flags.low_carbon_year,
    flags.broadband_year,
    flags.carbon_ets_year,
    case when vars.year >= flags.dual_year then vars.year - flags.dual_year end as dual_duration,
    case
        when flags.dual = 0 then 'none'
        when vars.year - flags.dual_year <= 2 then 'short'
        when vars.year - flags.dual_year <= 5 then 'medium'
        else 'long'
    end as dual_band
{{ sample_from() }}
where {{ is_current_city() }} and vars.year between 2006 and 2023
order by vars.city_code, vars.year
