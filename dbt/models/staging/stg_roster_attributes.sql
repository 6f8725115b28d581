-- Rosters that do not change over time: one row per city, roster and value. They classify cities, so a
-- row that is left out does not make the city the contrary: is_known = 0 makes the attribute unknown. Only
-- rows marked uncertain are left out when min_confidence asks for more; none of these rosters is
-- verified as a whole, and dropping the rest would leave no attribute.
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
        cast(confidence <> 'uncertain' or {{ confident_enough() }} as integer) as is_known,
        confidence,
        coalesce(note, '') as note
    from {{ corrected_roster(ref(roster)) }}
    {% if not loop.last %}union all{% endif %}
{% endfor %}
