-- City carbon from gas, liquefied petroleum gas and coal-fired electricity, in tonnes of CO2:
--   gas         万立方米 x 10^4 m3 x 2.1622 kg/m3   / 1000 = 21.622 t per 万立方米
--   LPG         吨       x 10^3 kg x 3.1013 kg/kg   / 1000 =  3.1013 t per 吨
--   electricity 万千瓦时 x 10^4 kWh x share x 1.3023 kg/kWh / 1000 = 13.023 t x share per 万千瓦时
-- All three terms are required. The share is the thermal share of generation of the electricity
-- council, the only series of the kind that reaches back to 2003.
with factors as (

    select
        max(value) filter (where variable = 'ef_natural_gas') as gas_kg_per_m3,
        max(value) filter (where variable = 'ef_lpg') as lpg_kg_per_kg,
        max(value) filter (where variable = 'ef_coal_power_chain') as coal_kg_per_kwh
    from {{ ref('int_constants') }}

)

select
    wide.city_code,
    wide.year,
    wide.gas_supply * 10000 * factors.gas_kg_per_m3 / 1000 as carbon_gas_t,
    wide.lpg_supply * 1000 * factors.lpg_kg_per_kg / 1000 as carbon_lpg_t,
    wide.electricity_total * 10000 * (share.value / 100) * factors.coal_kg_per_kwh / 1000
        as carbon_electricity_t,
    carbon_gas_t + carbon_lpg_t + carbon_electricity_t as carbon_t
from {{ ref('int_city_year_wide') }} as wide
cross join factors
left join {{ ref('int_constants') }} as share
    on share.variable = 'thermal_share_cec' and wide.year = share.year
order by wide.city_code, wide.year
