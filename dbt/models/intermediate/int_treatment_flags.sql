-- 0/1 flag of every programme for every city and year: 1 from the adoption year on.
{% set programmes = [
    'bigdata', 'bigdata_narrow', 'bigdata_wide', 'innovative', 'smart_city', 'smart_city_batch',
    'low_carbon', 'low_carbon_individual', 'dual', 'dual_individual', 'broadband', 'carbon_ets',
    'civilized_city',
] %}
select
    city_years.city_code,
    city_years.year,
    {%- for programme in programmes %}
        {{ absorbing_flag('years.' ~ programme ~ '_year', 'city_years.year') }} as {{ programme }},
    {%- endfor %}
    {{ column_list('years', programmes, '_year') }}
from {{ ref('int_city_years') }} as city_years
inner join {{ ref('int_treatment_years') }} as years
    on city_years.city_code = years.city_code
order by city_years.city_code, city_years.year
