{{ config(tags=['base']) }}
-- Beside every canonical column of city_year: 1 interpolated, 0 observed, null absent.
select
    wide.city_code,
    wide.year,
    {%- for column in city_indicators() + urban_indicators() %}
    wide.{{ column }}_filled,
    {%- endfor %}
    {%- for column in districts_indicators() %}
    wide.{{ column }}_districts_filled,
    {%- endfor %}
    {%- for column in province_indicators() %}
    wide.{{ column }}_filled{{ "," if not loop.last }}
    {%- endfor %}
from {{ ref('int_city_year_wide') }} as wide
where wide.is_panel_row
order by wide.city_code, wide.year
