-- Province series, one row per province and year.
select
    unit_code as province_code,
    {%- for indicator in province_indicators() %}
        max(value) filter (where indicator = '{{ indicator }}') as {{ indicator }},
        max(is_filled) filter (where indicator = '{{ indicator }}') as {{ indicator }}_filled,
    {%- endfor %}
    year
from {{ ref('int_filled') }}
where level = 'province' and item = ''
group by unit_code, year
order by unit_code, year
