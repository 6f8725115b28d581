{% macro is_gb_code(column) -%}
    coalesce(regexp_full_match({{ column }}, '[1-9][0-9]{5}'), false)
{%- endmacro %}
