-- National smart-city pilots, one row per listed unit; only whole-city rows can flag a city.
select
    city_code,
    level as listed_level,
    listed_unit,
    cast(whole_city as integer) as whole_city,
    list_type,
    cast(year_effective as integer) as year_announced,
    cast(year_batch as integer) as year_batch,
    batch,
    announced,
    confidence,
    coalesce(note, '') as note
from {{ corrected_roster(ref('roster_smart_city')) }}
