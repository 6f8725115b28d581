-- One row per unit and year, one column per canonical indicator, and beside it whether the value was
-- interpolated (1), observed (0) or is absent (null).
{% set columns = city_indicators() + urban_indicators() %}
{% set names = [] %}
{% for column in columns %}{% do names.append(column) %}{% endfor %}
{% for column in districts_indicators() %}{% do names.append(column ~ '_districts') %}{% endfor %}
with series as (

    select
        city_code,
        year,
        column_name,
        value,
        is_filled
    from {{ ref('int_panel_series') }}

),

-- pivot, not one filtered aggregate per column: the latter takes ten times as long
pivoted as (

    pivot series
    on column_name in ({{ "'" ~ names | join("', '") ~ "'" }})
    using max(value) as value, max(is_filled) as filled
    group by city_code, year

)

select
    city_years.city_code,
    city_years.year,
    city_years.province_code,
    {%- for name in names %}
        pivoted.{{ name }}_value as {{ name }},
    {%- endfor %}
    {{ column_list('pivoted', names, '_filled') }},
    {{ column_list('provinces', province_indicators()) }},
    {{ column_list('provinces', province_indicators(), '_filled') }},
    city_years.is_panel_row,
    city_years.is_combined_row
from {{ ref('int_city_years') }} as city_years
left join pivoted
    on city_years.city_code = pivoted.city_code and city_years.year = pivoted.year
left join {{ ref('int_province_year') }} as provinces
    on city_years.province_code = provinces.province_code and city_years.year = provinces.year
order by city_years.city_code, city_years.year
