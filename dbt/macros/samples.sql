{# Columns that every estimation sample carries: identity, groups that split samples, and the trend. #}
{% macro sample_identity(first_year) -%}
    vars.city_code,
    cities.name_zh as city_name,
    cities.province_code,
    vars.year,
    groups.econ_region4,
    groups.ns_group,
    groups.hu_group,
    groups.coastal,
    groups.core_city,
    groups.is_municipality,
    groups.is_provincial_capital,
    groups.is_subprovincial,
    groups.resource_based,
    groups.large_city,
    groups.city_tier,
    groups.key_env_city,
    groups.two_control_zone,
    vars.year - {{ first_year }} as trend
{%- endmacro %}

{# The joins behind a sample: variables, canonical columns, flags, city dimension and groups. #}
{% macro sample_from() -%}
from {{ ref('int_study_variables') }} as vars
inner join {{ ref('int_city_year_wide') }} as wide
    on vars.city_code = wide.city_code and vars.year = wide.year
inner join {{ ref('int_treatment_flags') }} as flags
    on vars.city_code = flags.city_code and vars.year = flags.year
inner join {{ ref('int_cities') }} as cities
    on vars.city_code = cities.city_code
inner join {{ ref('int_city_groups') }} as groups
    on vars.city_code = groups.city_code
{%- endmacro %}

{# Today's cities at prefecture level and above: 297. #}
{% macro is_current_city() -%}
cities.city_or_above = 1 and cities.in_2020_2023 = 1
{%- endmacro %}
