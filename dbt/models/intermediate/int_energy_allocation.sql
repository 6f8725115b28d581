-- City energy use (万吨标准煤): the province's total shared out by night light. A linear fit of province
-- totals on light through the origin, scaled so that a province's units add up to its total, is
-- exactly this share. Every prefecture unit with light takes part, whether in the panel or not.
with lit as (

    select
        wide.city_code,
        wide.year,
        wide.province_code,
        wide.night_light,
        wide.energy_province,
        coalesce(wide.is_combined_row, false) as is_combined_row
    from {{ ref('int_city_year_wide') }} as wide
    left join {{ ref('stg_cities') }} as cities
        on wide.city_code = cities.city_code
    where
        wide.night_light is not null
        and wide.energy_province is not null
        and (wide.is_combined_row or wide.year between cities.first_year and cities.last_year)

),

-- A combined unit does not stand in the province's sum: its members do.
provinces as (

    select
        province_code,
        year,
        {{ stable_sum('night_light', 'city_code') }} as night_light
    from lit
    where not is_combined_row
    group by province_code, year

)

select
    lit.city_code,
    lit.year,
    lit.energy_province * lit.night_light / nullif(provinces.night_light, 0) as energy
from lit
inner join provinces
    on lit.province_code = provinces.province_code and lit.year = provinces.year
order by lit.city_code, lit.year
