-- Attributes of a city that split the samples: regions, rank, rosters without time, and size.
with attributes as (

    select
        city_code,
        max(case when attribute = 'key_env_city' then 1 end) as key_env_city,
        max(case when attribute = 'two_control_zone' then 1 end) as two_control_zone,
        max(case when attribute = 'resource_based' then attribute_value end) as resource_class,
        max(case when attribute = 'concession_port' then cast(attribute_value as integer) end)
            as concession_port,
        max(case when attribute = 'rail1933' then cast(attribute_value as integer) end) as rail1933,
        max(case when attribute = 'city_tier' then cast(attribute_value as double) end) as city_tier
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
    cast(attributes.resource_class is not null as integer) as resource_based,
    attributes.resource_class,
    cast(size.districts_population > 100 as integer) as large_city,
    size.districts_population,
    size.districts_population_basis,
    attributes.city_tier,
    coalesce(attributes.key_env_city, 0) as key_env_city,
    coalesce(attributes.two_control_zone, 0) as two_control_zone,
    coalesce(attributes.concession_port, 0) as concession_port,
    coalesce(attributes.rail1933, 0) as rail1933,
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
