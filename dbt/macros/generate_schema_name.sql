{# Models lie in the main schema under their own names; only seeds get a schema beside it, because the
   seed `cities` and the published table `cities` share a name. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
{{ custom_schema_name if custom_schema_name is not none else target.schema }}
{%- endmacro %}
