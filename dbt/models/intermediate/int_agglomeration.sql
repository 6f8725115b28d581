-- Co-agglomeration of advanced manufacturing (m) and producer services (s):
-- 1 - |m - s| / (m + s) + (m + s).
select
    services.city_code,
    services.year,
    services.dia,
    services.sagg,
    manufacturing.magg_province,
    manufacturing.magg,
    manufacturing.magg_percent,
    1 - abs(manufacturing.magg - services.sagg) / nullif(manufacturing.magg + services.sagg, 0)
    + (manufacturing.magg + services.sagg) as coag
from {{ ref('int_location_quotient') }} as services
left join {{ ref('int_manufacturing_agglomeration') }} as manufacturing
    on services.city_code = manufacturing.city_code and services.year = manufacturing.year
order by services.city_code, services.year
