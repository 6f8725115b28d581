{{ config(tags=['outcomes']) }}
-- Efficiency and coordination outcomes, one row per city and year.
select
    cast(city_code as varchar) as city_code,
    cast(year as integer) as year,
    cast(preff as double) as preff,
    cast(creff as double) as creff,
    cast(syeff as double) as syeff,
    cast(srpce as double) as srpce,
    cast(srpce_entropy as double) as srpce_entropy
from {{ source('derived', 'outcomes') }}
