-- Attributes of a city that split the samples: regions, rank, rosters without time, and size. A city that
-- a roster does not list has 0; one whose row is too uncertain for min_confidence has null.
{% set listed = {
    'key_env_city': '1',
    'two_control_zone': '1',
    'resource_based': '1',
    'concession_port': 'try_cast(attribute_value as integer)',
    'rail1933': 'try_cast(attribute_value as integer)',
} %}
with attributes as (

    select
        city_code,
        {%- for attribute, value in listed.items() %}
            case
                when bool_or(attribute = '{{ attribute }}' and is_known = 1)
                    then max({{ value }}) filter (where attribute = '{{ attribute }}' and is_known = 1)
                when not bool_or(attribute = '{{ attribute }}') then 0
            end as {{ attribute }},
        {%- endfor %}
        max(attribute_value) filter (where attribute = 'resource_based' and is_known = 1)
            as resource_class,
        max(try_cast(attribute_value as double)) filter (where attribute = 'city_tier' and is_known = 1)
            as city_tier
    from {{ ref('stg_roster_attributes') }}
    group by city_code

),

-- Size of the districts: mean of the observed years, residents where any year has them.
size as (

    select
        city_code,
        coalesce(avg(pop_resident_districts), avg(pop_registered_districts)) as districts_population,
        case
            when count(pop_resident_districts) > 0 then 'resident'
            when count(pop_registered_districts) > 0 then 'registered'
        end as districts_population_basis
    from {{ ref('int_city_year_wide') }}
    group by city_code

)

select
    cities.city_code,
    cities.econ_region4,
    cities.ns_province as ns_group,
    geography.hu_side as hu_group,
    cities.coastal,
    cast(
        cities.unit_type = 'municipality' or cities.is_provincial_capital = 1 or cities.is_subprovincial = 1
        as integer
    ) as core_city,
    cast(cities.unit_type = 'municipality' as integer) as is_municipality,
    cities.is_provincial_capital,
    cities.is_subprovincial,
    case when attributes.city_code is null then 0 else attributes.resource_based end as resource_based,
    attributes.resource_class,
    cast(size.districts_population > 100 as integer) as large_city,
    size.districts_population,
    size.districts_population_basis,
    attributes.city_tier,
    case when attributes.city_code is null then 0 else attributes.key_env_city end as key_env_city,
    case when attributes.city_code is null then 0 else attributes.two_control_zone end as two_control_zone,
    case when attributes.city_code is null then 0 else attributes.concession_port end as concession_port,
    case when attributes.city_code is null then 0 else attributes.rail1933 end as rail1933,
    geography.lon,
    geography.lat,
    geography.area_km2,
    geography.hu_distance_km,
    geography.boundary_source
from {{ ref('stg_cities') }} as cities
left join attributes
    on cities.city_code = attributes.city_code
left join size
    on cities.city_code = size.city_code
left join {{ ref('stg_city_geography') }} as geography
    on cities.city_code = geography.city_code
order by cities.city_code
