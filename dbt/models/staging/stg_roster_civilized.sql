-- National civilized cities by first award; a row without a year cannot flag anything.
select
    city_code,
    level as listed_level,
    name_zh as listed_unit,
    cast(level in ('prefecture_city', 'municipality') as integer) as whole_city,
    try_cast(year_effective as integer) as year_effective,
    batch,
    coalesce(announced, '') as announced,
    confidence,
    coalesce(note, '') as note
from {{ corrected_roster(ref('roster_civilized')) }}
