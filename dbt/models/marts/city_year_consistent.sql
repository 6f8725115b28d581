{{ config(tags=['base']) }}
-- The panel read on consistent boundaries: units merged whole are combined over the whole span, and the
-- absorbed unit has no rows of its own. Everything else is what city_year has.
with units as (

    -- the code under which a city's values are found: its own, or that of the combined unit
    select
        cities.city_code,
        coalesce(combined.combined_code, cities.city_code) as unit_code,
        coalesce(combined.member_codes, cities.city_code) as member_codes
    from {{ ref('int_cities') }} as cities
    left join (
        select
            combined_code,
            survivor_code,
            string_agg(member_code, ', ' order by member_code) as member_codes
        from {{ ref('int_combined_units') }}
        group by combined_code, survivor_code
    ) as combined
        on cities.city_code = combined.survivor_code
    where
        cities.city_code not in (
            select member_code from {{ ref('int_combined_units') }}
            where not is_survivor
        )

),

breaks as (

    select
        city_code,
        list(break_year order by break_year) as break_years
    from {{ ref('int_boundary_breaks') }}
    group by city_code

)

select
    units.city_code,
    cities.name_zh as city_name,
    cities.province_code,
    cities.province_zh as province_name,
    vars.year,
    units.member_codes,
    breaks.break_years[1] as boundary_break,
    cast(coalesce(len(list_filter(breaks.break_years, lambda y: y <= vars.year)), 0) as integer)
        as boundary_segment,
    {{ city_year_columns() }}
from units
inner join {{ ref('int_study_variables') }} as vars
    on units.unit_code = vars.city_code
inner join {{ ref('int_city_year_wide') }} as wide
    on vars.city_code = wide.city_code and vars.year = wide.year
inner join {{ ref('int_treatment_flags') }} as flags
    on units.city_code = flags.city_code and vars.year = flags.year
inner join {{ ref('int_cities') }} as cities
    on units.city_code = cities.city_code
left join breaks
    on units.city_code = breaks.city_code
where vars.is_panel_row or vars.is_combined_row
order by units.city_code, vars.year
