-- The cities of study D by its rule: prefecture-level cities less those with a smart-city pilot only
-- below the city (district, county, town), less Laiwu. Cities are those that had been cities since
-- 2003 at the latest, Tibet left out. The study counts 221 of 281; the roster, which lacks about
-- 64 units of batch 3, gives as many as it lists.
select cities.city_code
from {{ ref('stg_cities') }} as cities
left join (
    select
        city_code,
        max(flags_city) as has_whole_city_pilot
    from {{ ref('int_pilot_units') }}
    where programme = 'smart_city' and reading = 'batch'
    group by city_code
) as pilots
    on cities.city_code = pilots.city_code
where
    {{ is_current_city() }}
    and cities.city_since <= 2003
    and cities.province_code <> '540000'
    and coalesce(pilots.has_whole_city_pilot, 1) = 1
order by cities.city_code
