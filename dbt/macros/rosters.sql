{# A shipped roster with the user's corrections applied: rows of the same unit (city, and listed unit
   where the roster lists units) give way to the user's, removed ones fall out. Columns are those that
   seeds.yml declares, so a correction can never bring one of its own. #}
{% macro corrected_roster(relation) -%}
{%- set overrides = source('derived', 'roster_overrides') -%}
{%- if execute -%}
{%- set roster = relation.identifier -%}
{%- set columns = (graph.nodes.values() | selectattr('resource_type', 'equalto', 'seed')
    | selectattr('name', 'equalto', roster) | first).config.column_types.keys() | list -%}
(
    select {{ columns | join(', ') }}
    from {{ relation }} as shipped
    where not exists (
        select 1
        from {{ overrides }} as overrides
        where
            overrides.roster = '{{ roster }}'
            and overrides.city_code = shipped.city_code
            and overrides.listed_unit = {{ "shipped.listed_unit" if "listed_unit" in columns else "''" }}
    )
    union all
    select
        {%- for column in columns %}
        {%- set value -%} json_extract_string(row_values, '$."{{ column }}"') {%- endset %}
        {% if column == 'note' -%}
        concat_ws(' ', nullif({{ value }}, ''), '[' || file || ' line ' || line || ']')
        {%- else -%} nullif({{ value }}, '') {%- endif %} as {{ column }}{{ "," if not loop.last }}
        {%- endfor %}
    from {{ overrides }}
    where roster = '{{ roster }}' and change <> 'removed'
)
{%- else -%}
{{ relation }}
{%- endif -%}
{%- endmacro %}

{# Whether a roster row is certain enough for the var `min_confidence` (verified, from-memory,
   uncertain); what is not counts as not listed. #}
{% macro confident_enough(confidence='confidence') -%}
{%- set ranks = {'verified': 3, 'from-memory': 2, 'uncertain': 1} -%}
{%- set wanted = var('min_confidence', 'uncertain') -%}
{%- if execute and wanted not in ranks -%}
{{ exceptions.raise_compiler_error("min_confidence is '" ~ wanted ~ "': expected verified, from-memory or uncertain") }}
{%- endif -%}
(case {{ confidence }} when 'verified' then 3 when 'from-memory' then 2 else 1 end >= {{ ranks.get(wanted, 0) }})
{%- endmacro %}
