-- National big-data comprehensive pilot zones, one row per city.
select
    city_code,
    'prefecture' as listed_level,
    zone as listed_unit,
    cast(in_narrow as integer) as in_narrow,
    cast(in_wide as integer) as in_wide,
    cast(year_effective as integer) as year_effective,
    batch,
    announced,
    confidence,
    coalesce(note, '') as note
from {{ corrected_roster(ref('roster_big_data')) }}
