-- Rosters that do not change over time: one row per city, roster and value.
{% set rosters = [
    ('roster_key_env', 'key_env_city', "'1'"),
    ('roster_two_control', 'two_control_zone', 'zone'),
    ('roster_resource', 'resource_based', 'resource_class'),
    ('roster_treaty_ports', 'concession_port', "case when '1' in (has_concession, has_leased_territory) then '1' else '0' end"),
    ('roster_rail1933', 'rail1933', 'rail_by_1933'),
    ('roster_city_tier', 'city_tier', 'tier'),
] %}
{% for roster, attribute, value in rosters %}
    select
        city_code,
        '{{ attribute }}' as attribute,
        {{ value }} as attribute_value,
        confidence,
        coalesce(note, '') as note
    from {{ corrected_roster(ref(roster)) }}
    where {{ confident_enough() }}
    {% if not loop.last %}union all{% endif %}
{% endfor %}
