{{ config(severity='warn') }}
-- The lists of the macro panel_columns and the indicator registry name the same indicators per scope.
with listed as (

    {% for scope, names in [
        ('city', city_indicators()), ('districts', urban_indicators()),
        ('province', province_indicators() + ['employment_industry_province']),
    ] %}
    select unnest(['{{ names | join("', '") }}']) as indicator, '{{ scope }}' as scope
    {{ "union all" if not loop.last }}
    {% endfor %}

),

registered as (

    select indicator, scope from {{ ref('indicators') }}
    where scope <> 'national'

)

(select *, 'not in the registry' as problem from listed except select *, 'not in the registry' from registered)
union all
(select *, 'not in macros/panel_columns.sql' from registered except select *, 'not in macros/panel_columns.sql' from listed)
