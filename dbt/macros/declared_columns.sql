{# Columns as the models' own YAML declares them, as SQL rows: the one place where texts are written is
   the YAML. `lineage` gives one row per input of a column, `dictionary` one row per column. #}
{% macro declared_columns(kind) %}
{%- set rows = [] -%}
{%- if execute -%}
{%- for node in graph.nodes.values() | sort(attribute='name') -%}
{%- if node.resource_type == 'model' and node.path.startswith('marts') -%}
{%- for column in node.columns.values() -%}
{%- set meta = (column.get('config') or {}).get('meta') or column.get('meta') or {} -%}
{%- if kind == 'lineage' -%}
{%- for input in meta.get('inputs', []) -%}
{%- do rows.append([node.alias, column.name, input]) -%}
{%- endfor -%}
{%- else -%}
{%- do rows.append([
    node.alias, loop.index, column.name, meta.get('label_zh', ''), meta.get('unit', ''),
    column.description, meta.get('studies', ''), meta.get('inputs', []) | join(', '), column.data_type
]) -%}
{%- endif -%}
{%- endfor -%}
{%- endif -%}
{%- endfor -%}
{%- endif -%}
{%- if kind == 'lineage' %}
select cast(table_name as varchar) as table_name, column_name, input_column
from (
    values
    {%- for row in rows %}
    ({{ sql_text(row[0]) }}, {{ sql_text(row[1]) }}, {{ sql_text(row[2]) }}),
    {%- endfor %}
    (null, null, null)
) as rows (table_name, column_name, input_column)
where table_name is not null
order by table_name, column_name, input_column
{%- else %}
select
    table_name, cast(position as integer) as position, column_name, label_zh, unit, definition, study,
    inputs, data_type
from (
    values
    {%- for row in rows %}
    (
        {{ sql_text(row[0]) }}, {{ row[1] }}, {{ sql_text(row[2]) }}, {{ sql_text(row[3]) }},
        {{ sql_text(row[4]) }}, {{ sql_text(row[5]) }}, {{ sql_text(row[6]) }}, {{ sql_text(row[7]) }},
        {{ sql_text(row[8]) }}
    ),
    {%- endfor %}
    (null, null, null, null, null, null, null, null, null)
) as rows (table_name, position, column_name, label_zh, unit, definition, study, inputs, data_type)
where table_name is not null
{%- endif %}
{% endmacro %}

{% macro sql_text(text) -%}
'{{ (text or "") | replace("'", "''") }}'
{%- endmacro %}
