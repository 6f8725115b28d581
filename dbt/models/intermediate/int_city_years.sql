-- The skeleton: every prefecture unit in every year of the panel. is_panel_row marks the rows of
-- city_year: cities at prefecture level and above (in today's sense) while the unit existed. The last
-- year is the latest with any gross regional product: a population table that runs further does not
-- open a year of its own. is_combined_row marks rows of combined units (int_combined_units): they pass
-- through the same formulas and stand in no sum over cities.
with span as (

    select
        {{ var('first_year') }} as first_year,
        greatest(
            {{ var('last_year_floor') }},
            coalesce(
                (
                    select max(data_year)
                    from {{ ref('int_preferred') }}
                    where level = 'city' and indicator = 'grp'
                ),
                0
            )
        ) as last_year

),

skeleton as (

    select
        cities.city_code,
        cast(years.year as integer) as year,
        cities.province_code,
        cast(
            cities.city_or_above = 1
            and years.year >= cities.first_year
            and years.year <= cities.last_year as boolean
        ) as is_panel_row
    from {{ ref('stg_cities') }} as cities
    cross join (
        select unnest(range(first_year, last_year + 1)) as year from span
    ) as years

)

select
    city_code,
    year,
    province_code,
    is_panel_row,
    false as is_combined_row
from skeleton
union all
select
    units.combined_code as city_code,
    skeleton.year,
    skeleton.province_code,
    false as is_panel_row,
    skeleton.is_panel_row as is_combined_row
from {{ ref('int_combined_units') }} as units
inner join skeleton
    on units.survivor_code = skeleton.city_code
where units.is_survivor
order by city_code, year
