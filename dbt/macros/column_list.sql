{# Columns of one relation as a comma-separated list: column_list('wide', names, suffix='_filled'). #}
{% macro column_list(relation, names, suffix='') -%}
{%- for name in names -%}
{{ relation }}.{{ name }}{{ suffix }}{% if not loop.last %},
    {% endif %}
{%- endfor -%}
{%- endmacro %}
