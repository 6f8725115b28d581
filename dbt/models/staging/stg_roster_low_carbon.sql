-- Low-carbon pilots: cities listed by name, and members of pilot provinces (province_member).
select
    city_code,
    level as listed_level,
    listed_unit,
    cast(listed_individually as integer) as listed_individually,
    cast(level in ('municipality', 'prefecture_city', 'prefecture_region') as integer) as whole_city,
    cast(level = 'province_member' as integer) as province_member,
    cast(year_effective as integer) as year_effective,
    batch,
    announced,
    confidence,
    coalesce(note, '') as note
from {{ corrected_roster(ref('roster_low_carbon')) }}
