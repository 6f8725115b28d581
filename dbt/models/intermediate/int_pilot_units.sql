-- Every listed unit of every programme under every reading, with the year it would take effect and
-- whether it flags its city. A district, county, county-level city or town never does.
with listed as (

    select
        city_code, 'bigdata' as programme, 'narrow' as reading, listed_unit, listed_level,
        in_narrow as flags_city, year_effective as adoption_year, batch, announced, confidence, note
    from {{ ref('stg_roster_big_data') }}
    union all
    select
        city_code, 'bigdata', 'wide', listed_unit, listed_level,
        in_wide, year_effective, batch, announced, confidence, note
    from {{ ref('stg_roster_big_data') }}
    union all
    select
        city_code, 'innovative', 'whole_city', listed_unit, listed_level,
        whole_city, year_effective, batch, announced, confidence, note
    from {{ ref('stg_roster_innovative') }}
    union all
    select
        city_code, 'smart_city', 'announcement', listed_unit, listed_level,
        whole_city, year_announced, batch, announced, confidence, note
    from {{ ref('stg_roster_smart_city') }}
    union all
    select
        city_code, 'smart_city', 'batch', listed_unit, listed_level,
        whole_city, year_batch, batch, announced, confidence, note
    from {{ ref('stg_roster_smart_city') }}
    union all
    select
        city_code, 'low_carbon', 'incl_province', listed_unit, listed_level,
        greatest(whole_city, province_member), year_effective, batch, announced, confidence, note
    from {{ ref('stg_roster_low_carbon') }}
    union all
    select
        city_code, 'low_carbon', 'individual', listed_unit, listed_level,
        whole_city * listed_individually, year_effective, batch, announced, confidence, note
    from {{ ref('stg_roster_low_carbon') }}
    union all
    select
        city_code, 'broadband', 'whole_city', listed_unit, listed_level,
        whole_city, year_effective, batch, announced, confidence, note
    from {{ ref('stg_roster_broadband') }}
    union all
    select
        city_code, 'carbon_ets', 'trading_year', listed_unit, listed_level,
        in_pilot7, year_trading, batch, announced, confidence, note
    from {{ ref('stg_roster_carbon_ets') }}
    union all
    select
        city_code, 'carbon_ets', 'incl_fujian', listed_unit, listed_level,
        1, year_trading, batch, announced, confidence, note
    from {{ ref('stg_roster_carbon_ets') }}
    union all
    select
        city_code, 'carbon_ets', 'announcement', listed_unit, listed_level,
        in_pilot7, year_announced, batch, announced, confidence, note
    from {{ ref('stg_roster_carbon_ets') }}
    union all
    select
        city_code, 'civilized_city', 'first_award', listed_unit, listed_level,
        cast(whole_city = 1 and year_effective is not null as integer), year_effective, batch, announced, confidence, note
    from {{ ref('stg_roster_civilized') }}

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
from listed
order by programme, reading, city_code, adoption_year, listed_unit
