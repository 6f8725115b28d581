{{ config(tags=['outcomes']) }}
-- Study A: 297 cities, 2011-2022. The gap columns set a city beside the best of its group in the year.
with base as (

    select
        {{ sample_identity(2011) }},
        outcomes.srpce,
        outcomes.srpce_entropy,
        flags.bigdata_narrow as bigdata,
        flags.bigdata_wide,
        vars.education_share as el,
        vars.science_share as tl,
        {{ ln_pos('vars.resident_density') }} as pd,
        vars.fiscal_autonomy as fd,
        vars.tertiary_employment_share as es,
        vars.retail_share as scl,
        vars.fiscal_expenditure_share as dgi,
        vars.secondary_share as il,
        vars.loans_share as fdl,
        vars.tertiary_to_secondary as is_upgrade,
        vars.green_patent_share as gti,
        wide.digital_finance_index as df,
        flags.smart_city,
        flags.broadband,
        wide.relief,
        wide.relief * (vars.year - 2011) as relief_trend,
        vars.new_quality_attention as nqp_attention,
        flags.bigdata_narrow_year as bigdata_year,
        flags.bigdata_wide_year,
        flags.smart_city_year,
        flags.broadband_year
    {{ sample_from() }}
    left join {{ ref('int_outcomes') }} as outcomes
        on vars.city_code = outcomes.city_code and vars.year = outcomes.year
    where {{ is_current_city() }} and vars.year between 2011 and 2022

)

select
    *,
    srpce / nullif(max(srpce) over (partition by year), 0) as gap_city,
    srpce / nullif(max(srpce) over (partition by year, ns_group), 0) as gap_ns,
    case when hu_group is not null then srpce / nullif(max(srpce) over (partition by year, hu_group), 0) end
        as gap_hu,
    srpce / nullif(max(srpce) over (partition by year, coastal), 0) as gap_coast,
    srpce / nullif(max(srpce) over (partition by year, core_city), 0) as gap_core
from base
order by city_code, year
