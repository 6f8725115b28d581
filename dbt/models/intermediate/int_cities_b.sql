-- The 284 cities of study B by the rule that gives its number: today's cities that had been cities
-- since 2004 at the latest (12 were founded or turned from prefectures later), Tibet (Lhasa) left out.
select cities.city_code
from {{ ref('stg_cities') }} as cities
where
    {{ is_current_city() }}
    and cities.city_since <= 2004
    and cities.province_code <> '540000'
order by cities.city_code
