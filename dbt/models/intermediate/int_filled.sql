-- Linear interpolation between two observed years of the same city (or province), indicator and
-- scope. Nothing before the first or after the last observed year is ever filled. Combined units
-- (consistent boundaries) are filled like the others.
with series_values as (

    select
        level,
        unit_code,
        indicator,
        scope,
        item,
        data_year,
        value
    from {{ ref('int_preferred') }}
    union all
    select
        'city' as level,
        combined_code as unit_code,
        indicator,
        scope,
        '' as item,
        data_year,
        value
    from {{ ref('int_combined_series') }}
    where value is not null

),

observed as (

    select
        level,
        unit_code,
        indicator,
        scope,
        item,
        data_year,
        value,
        lead(data_year) over series as next_year,
        lead(value) over series as next_value
    from series_values
    window series as (
        partition by level, unit_code, indicator, scope, item
        order by data_year
    )

),

spread as (

    select
        *,
        unnest(
            case
                when
                    next_year is null
                    or ({{ var('fill_max_gap') }} > 0 and next_year - data_year > {{ var('fill_max_gap') }})
                    then [data_year]
                else range(data_year, next_year)
            end
        ) as year
    from observed

)

select
    level,
    unit_code,
    indicator,
    scope,
    item,
    cast(year as integer) as year,
    case
        when year = data_year then value
        else value + (next_value - value) * (year - data_year) / (next_year - data_year)
    end as value,
    cast(year <> data_year as integer) as is_filled,
    data_year as from_year,
    case when year <> data_year then next_year end as to_year
from spread
