-- Rosters that do not change over time: one row per city, roster and value.
select city_code, 'key_env_city' as attribute, '1' as attribute_value, confidence, coalesce(note, '') as note
from {{ ref('roster_key_env') }}
union all
select city_code, 'two_control_zone', zone, confidence, coalesce(note, '')
from {{ ref('roster_two_control') }}
union all
select city_code, 'resource_based', resource_class, confidence, coalesce(note, '')
from {{ ref('roster_resource') }}
union all
select city_code, 'treaty_port', cast('1' in (has_concession, has_leased_territory) as varchar), confidence, coalesce(note, '')
from {{ ref('roster_treaty_ports') }}
union all
select city_code, 'rail1933', cast(rail_by_1933 as varchar), confidence, coalesce(note, '')
from {{ ref('roster_rail1933') }}
union all
select city_code, 'city_tier', cast(tier as varchar), confidence, coalesce(note, '')
from {{ ref('roster_city_tier') }}
