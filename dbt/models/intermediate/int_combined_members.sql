-- What each member brings to a combined unit: its observed value and, for means, its weight. Nothing
-- interpolated is combined; gaps are filled afterwards on the combined series, like on any other. A
-- value on today's territory (grids over today's polygons, some compiled files) already covers what the
-- unit absorbed later, and is no weight for a value that does not.
with territories as (

    select
        coalesce(source, '') as source,
        coalesce(indicator, '') as indicator,
        territory
    from {{ ref('source_preference') }}

),

candidates as (

    select
        units.combined_code,
        units.survivor_code,
        units.member_code,
        units.is_survivor,
        units.counted_to,
        candidates.indicator,
        candidates.scope,
        candidates.data_year,
        candidates.value,
        candidates.source,
        candidates.candidate_no,
        coalesce(specific.territory, general.territory, 'of_the_year') = 'today' as on_todays_territory
    from {{ ref('int_candidates') }} as candidates
    inner join {{ ref('int_combined_units') }} as units
        on candidates.unit_code = units.member_code
    left join territories as specific
        on candidates.source = specific.source and candidates.indicator = specific.indicator
    left join territories as general
        on candidates.source = general.source and general.indicator = ''
    where candidates.level = 'city' and candidates.item = ''

),

weights as (

    select
        member_code,
        indicator,
        scope,
        data_year,
        value
    from candidates
    where not on_todays_territory
    qualify row_number() over (
        partition by member_code, indicator, scope, data_year
        order by candidate_no
    ) = 1

),

-- every member that must be counted, in every year in which any of them has a value
wanted as (

    select
        keys.combined_code,
        units.survivor_code,
        units.member_code,
        units.is_survivor,
        keys.indicator,
        keys.scope,
        keys.data_year
    from (
        select distinct
            combined_code,
            indicator,
            scope,
            data_year
        from candidates
        where data_year <= counted_to
    ) as keys
    inner join {{ ref('int_combined_units') }} as units
        on keys.combined_code = units.combined_code and keys.data_year <= units.counted_to

)

select
    wanted.combined_code,
    wanted.survivor_code,
    wanted.member_code,
    wanted.is_survivor,
    wanted.indicator,
    wanted.scope,
    wanted.data_year,
    indicators.combine,
    nullif(regexp_extract(indicators.combine, '^mean (\w+)', 1), '') as weight_indicator,
    taken.value,
    taken.source,
    coalesce(taken.on_todays_territory, false) as on_todays_territory,
    weights.value as weight
from wanted
inner join {{ ref('indicators') }} as indicators
    on wanted.indicator = indicators.indicator
left join candidates as taken
    on
        wanted.member_code = taken.member_code
        and wanted.combined_code = taken.combined_code
        and wanted.indicator = taken.indicator
        and wanted.scope = taken.scope
        and wanted.data_year = taken.data_year
        and taken.candidate_no = 1
left join weights
    on
        wanted.member_code = weights.member_code
        and regexp_extract(indicators.combine, '^mean (\w+)', 1) = weights.indicator
        and wanted.scope = weights.scope
        -- a growth rate is weighted by the level that grew, that of the year before
        and wanted.data_year - cast(indicators.combine like '%:last' as integer) = weights.data_year
order by
    wanted.combined_code, wanted.indicator, wanted.scope, wanted.data_year, wanted.member_code
