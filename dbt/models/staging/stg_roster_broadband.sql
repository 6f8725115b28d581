-- Broadband China demonstration cities; members of a listed city group count as whole cities.
select
    city_code,
    level as listed_level,
    listed_unit,
    cast(
        level in ('municipality', 'prefecture_city', 'autonomous_prefecture', 'city_group_member')
        as integer
    ) as whole_city,
    cast(year_effective as integer) as year_effective,
    batch,
    announced,
    confidence,
    coalesce(note, '') as note
from {{ corrected_roster(ref('roster_broadband')) }}
