-- Location of each city from the boundaries in use; empty when no boundaries were read.
select
    cast(city_code as varchar) as city_code,
    cast(lon as double) as lon,
    cast(lat as double) as lat,
    cast(area_km2 as double) as area_km2,
    cast(hu_side as varchar) as hu_side,
    cast(hu_distance_km as double) as hu_distance_km,
    cast(boundary_source as varchar) as boundary_source
from {{ source('derived', 'city_geography') }}
