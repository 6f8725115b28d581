-- One row per city: adoption year of every programme under its main reading (dbt vars) and of the
-- variants kept beside it. Null means never treated.
{% set smart = var('reading_smart_city') %}
{% set low = var('reading_low_carbon') %}
{% set columns = [
    ('bigdata', 'bigdata', var('reading_bigdata')),
    ('bigdata_narrow', 'bigdata', 'narrow'),
    ('bigdata_wide', 'bigdata', 'wide'),
    ('innovative', 'innovative', var('reading_innovative')),
    ('smart_city', 'smart_city', smart),
    ('smart_city_batch', 'smart_city', 'batch'),
    ('low_carbon', 'low_carbon', low),
    ('low_carbon_individual', 'low_carbon', 'individual'),
    ('dual', 'dual', low ~ '_' ~ smart),
    ('dual_individual', 'dual', 'individual_' ~ smart),
    ('broadband', 'broadband', 'whole_city'),
    ('carbon_ets', 'carbon_ets', var('reading_carbon_ets')),
    ('civilized_city', 'civilized_city', 'first_award'),
] %}
select
    {%- for name, programme, reading in columns %}
        max(treatments.adoption_year) filter (
            where treatments.programme = '{{ programme }}' and treatments.reading = '{{ reading }}'
        ) as {{ name }}_year,
    {%- endfor %}
    cities.city_code
from {{ ref('stg_cities') }} as cities
left join {{ ref('int_treatments') }} as treatments
    on cities.city_code = treatments.city_code
group by cities.city_code
order by cities.city_code
