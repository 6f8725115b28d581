-- National innovative cities; whole_city tells cities from listed districts and county cities.
select
    city_code,
    level as listed_level,
    name_zh as listed_unit,
    cast(level in ('prefecture_city', 'municipality') as integer) as whole_city,
    cast(year_effective as integer) as year_effective,
    batch,
    coalesce(announced, '') as announced,
    membership_confidence,
    year_confidence,
    confidence,
    coalesce(note, '') as note
from {{ corrected_roster(ref('roster_innovative')) }}
