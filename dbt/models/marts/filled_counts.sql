{{ config(tags=['base']) }}
-- How many values of a city are printed and how many interpolated, per column of the panel.
select
    filled.unit_code as city_code,
    cities.name_zh as city_name,
    filled.indicator as column_name,
    filled.scope,
    cast(count(*) filter (where filled.is_filled = 0) as integer) as n_observed,
    cast(count(*) filter (where filled.is_filled = 1) as integer) as n_filled,
    cast(min(filled.year) as integer) as first_year,
    cast(max(filled.year) as integer) as last_year
from {{ ref('int_filled') }} as filled
inner join {{ ref('int_cities') }} as cities
    on filled.unit_code = cities.city_code
group by filled.unit_code, cities.name_zh, filled.indicator, filled.scope
order by city_code, column_name, filled.scope
