-- Every resolved value with its place in the stated order of preference: a value inside the range that
-- the registry calls plausible goes before one outside it (a share of 2638% is taken only if no source
-- has another), one for the boundary of its year before one for today's where the unit took in another
-- since, then the rank of the source (for the indicator, else in general), then the latest edition, then
-- file, sheet and cell so that ties are decided the same way every time.
with ranks as (

    select
        coalesce(source, '') as source,
        coalesce(indicator, '') as indicator,
        cast(rank as integer) as rank,
        territory
    from {{ ref('source_preference') }}

),

-- last year in which a unit that has taken in others still stood without one of them
grown as (

    select
        survivor_code,
        max(counted_to) as smaller_to
    from {{ ref('int_combined_units') }}
    where not is_survivor
    group by survivor_code

),

ranked as (

    select
        observations.*,
        coalesce(specific.rank, general.rank, anything.rank, 999) as preference_rank,
        coalesce(
            observations.value >= try_cast(indicators.min as double)
            and observations.value <= try_cast(indicators.max as double),
            true
        ) as is_plausible,
        not coalesce(
            coalesce(specific.territory, general.territory) = 'today'
            and observations.data_year <= grown.smaller_to,
            false
        ) as is_on_its_boundary
    from {{ ref('int_resolved_observations') }} as observations
    left join {{ ref('indicators') }} as indicators
        on observations.indicator = indicators.indicator
    left join ranks as specific
        on observations.source = specific.source and observations.indicator = specific.indicator
    left join ranks as general
        on observations.source = general.source and general.indicator = ''
    left join grown
        on observations.level = 'city' and observations.unit_code = grown.survivor_code
    left join ranks as anything
        on anything.source = '' and anything.indicator = ''

)

select
    *,
    row_number() over (
        partition by level, unit_code, data_year, indicator, scope, item
        order by
            is_plausible desc, is_on_its_boundary desc, preference_rank asc, release desc,
            file asc, sheet asc, row_no asc, col_no asc
    ) as candidate_no
from ranked
