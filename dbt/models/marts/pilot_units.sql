{{ config(tags=['base']) }}
-- Every listed unit, also those that flag no city, with the reason.
select
    units.city_code,
    cities.name_zh as city_name,
    units.programme,
    units.reading,
    units.listed_unit,
    units.listed_level as level,
    units.flags_city,
    units.reason,
    units.adoption_year,
    units.batch,
    units.announced,
    units.confidence,
    units.note
from {{ ref('int_pilot_units') }} as units
inner join {{ ref('int_cities') }} as cities
    on units.city_code = cities.city_code
order by units.programme, units.reading, units.city_code, units.adoption_year, units.listed_unit
