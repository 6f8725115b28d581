-- Every listed unit of every programme under every reading, with the year it would take effect and
-- whether it flags its city. A district, county, county-level city or town never does, nor does a row
-- that is less certain than the var `min_confidence` asks for.
{#- roster, programme, reading, what makes the row flag its city, year of adoption -#}
{% set readings = [
    ('stg_roster_big_data', 'bigdata', 'narrow', 'in_narrow', 'year_effective'),
    ('stg_roster_big_data', 'bigdata', 'wide', 'in_wide', 'year_effective'),
    ('stg_roster_innovative', 'innovative', 'whole_city', 'whole_city', 'year_effective'),
    ('stg_roster_smart_city', 'smart_city', 'announcement', 'whole_city', 'year_announced'),
    ('stg_roster_smart_city', 'smart_city', 'batch', 'whole_city', 'year_batch'),
    ('stg_roster_low_carbon', 'low_carbon', 'incl_province', 'greatest(whole_city, province_member)', 'year_effective'),
    ('stg_roster_low_carbon', 'low_carbon', 'individual', 'whole_city * listed_individually', 'year_effective'),
    ('stg_roster_broadband', 'broadband', 'whole_city', 'whole_city', 'year_effective'),
    ('stg_roster_carbon_ets', 'carbon_ets', 'trading_year', 'in_pilot7', 'year_trading'),
    ('stg_roster_carbon_ets', 'carbon_ets', 'incl_fujian', '1', 'year_trading'),
    ('stg_roster_carbon_ets', 'carbon_ets', 'announcement', 'in_pilot7', 'year_announced'),
    ('stg_roster_civilized', 'civilized_city', 'first_award', 'cast(whole_city = 1 and year_effective is not null as integer)', 'year_effective'),
] %}
with listed as (

    {% for roster, programme, reading, flag, adoption_year in readings %}
        select
            city_code,
            '{{ programme }}' as programme,
            '{{ reading }}' as reading,
            listed_unit,
            listed_level,
            {{ flag }} as flags_by_listing,
            {{ adoption_year }} as adoption_year,
            batch,
            announced,
            confidence,
            note
        from {{ ref(roster) }}
        {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

judged as (

    select
        *,
        case when {{ confident_enough() }} then flags_by_listing else 0 end as flags_city
    from listed

)

select
    city_code,
    programme,
    reading,
    listed_unit,
    listed_level,
    cast(flags_city as integer) as flags_city,
    case
        when flags_city = 1 then 'whole city listed under this reading'
        when flags_by_listing = 1 then 'less certain than min_confidence asks for'
        when listed_level in ('district', 'county', 'county_city', 'town', 'zone_or_new_area')
            then 'a ' || listed_level || ' does not flag its city'
        when adoption_year is null then 'no year of adoption known'
        else 'not part of this reading'
    end as reason,
    adoption_year,
    batch,
    announced,
    confidence,
    note
from judged
order by programme, reading, city_code, adoption_year, listed_unit
