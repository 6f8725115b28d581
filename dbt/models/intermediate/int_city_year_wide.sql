-- One row per unit and year, one column per canonical indicator, and beside it whether the value was
-- interpolated (1), observed (0) or is absent (null).
{% set columns = city_indicators() + urban_indicators() %}
with pivoted as (

    select
        city_code,
        year,
        {%- for column in columns %}
        max(value) filter (where column_name = '{{ column }}') as {{ column }},
        max(is_filled) filter (where column_name = '{{ column }}') as {{ column }}_filled,
        {%- endfor %}
        {%- for column in districts_indicators() %}
        max(value) filter (where column_name = '{{ column }}_districts') as {{ column }}_districts,
        max(is_filled) filter (where column_name = '{{ column }}_districts') as {{ column }}_districts_filled{{ "," if not loop.last }}
        {%- endfor %}
    from {{ ref('int_panel_series') }}
    group by city_code, year

)

select
    city_years.city_code,
    city_years.year,
    city_years.province_code,
    city_years.is_panel_row,
    pivoted.* exclude (city_code, year),
    provinces.* exclude (province_code, year)
from {{ ref('int_city_years') }} as city_years
left join pivoted
    on city_years.city_code = pivoted.city_code and city_years.year = pivoted.year
left join {{ ref('int_province_year') }} as provinces
    on city_years.province_code = provinces.province_code and city_years.year = provinces.year
order by city_years.city_code, city_years.year
