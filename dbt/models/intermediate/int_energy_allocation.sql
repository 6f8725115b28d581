-- City energy use (万吨标准煤): the province's total shared out by night light. A linear fit of province
-- totals on light through the origin, scaled so that a province's units add up to its total, is
-- exactly this share. Every prefecture unit with light takes part, whether in the panel or not.
select
    light.city_code,
    light.year,
    light.energy_province * light.night_light
    / nullif(
        {{ stable_sum('light.night_light', 'light.city_code') }}
            over (partition by light.province_code, light.year),
        0
    ) as energy
from {{ ref('int_city_year_wide') }} as light
inner join {{ ref('stg_cities') }} as cities
    on
        light.city_code = cities.city_code
        and light.year between cities.first_year and cities.last_year
where light.night_light is not null and light.energy_province is not null
order by light.city_code, light.year
