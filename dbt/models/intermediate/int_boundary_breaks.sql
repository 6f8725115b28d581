-- Years in which the territory of a unit changed and no sum of units makes the series consistent: a part
-- was moved, or a unit was divided among several. Both sides break, but only where the unit exists on
-- both sides of the change and the panel has years before it; a unit founded by the change has no
-- earlier series to break.
with sides as (

    select
        city_code,
        cast(data_year as integer) as break_year
    from {{ ref('city_boundary_changes') }}
    where additive = '0'
    union distinct
    select
        partner_code as city_code,
        cast(data_year as integer) as break_year
    from {{ ref('city_boundary_changes') }}
    where additive = '0' and change <> 'founded_from'

)

select
    sides.city_code,
    sides.break_year
from sides
inner join {{ ref('stg_cities') }} as cities
    on sides.city_code = cities.city_code
where
    sides.break_year > {{ var('first_year') }}
    and cities.first_year < sides.break_year
    and cities.last_year >= sides.break_year
order by sides.city_code, sides.break_year
