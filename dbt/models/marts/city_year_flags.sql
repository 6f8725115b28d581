{{ config(tags=['base']) }}
-- Beside every canonical column of city_year: 1 interpolated, 0 observed, null absent.
select
    wide.city_code,
    wide.year,
    {{ column_list('wide', city_indicators() + urban_indicators(), '_filled') }},
    {{ column_list('wide', districts_indicators(), '_districts_filled') }},
    {{ column_list('wide', province_indicators(), '_filled') }}
from {{ ref('int_city_year_wide') }} as wide
where wide.is_panel_row
order by wide.city_code, wide.year
