-- What the efficiency and coordination outcomes are computed from, in the units the studies name.
-- Labour: persons in urban units plus private and self-employed (万人). Capital: 亿元 of 2004. Energy:
-- 万吨标准煤. Desirable output: real product at 2004 prices (亿元). Undesirable: PM2.5 (ug/m3) and CO2 (t).
-- co2_t is the city carbon of gas, LPG and coal power, which the efficiency study cites as its method;
-- ln_co2 is the grid emission (EDGAR) of the coordination study.
select
    wide.city_code,
    wide.year,
    employment.employees_unit + employment.employees_private_self as labour,
    capital.capital,
    energy.energy,
    real_grp.grp_real_2004,
    wide.pm25,
    carbon.carbon_t as co2_t,
    wide.co2_edgar as co2_edgar_t,
    {{ ln_pos('wide.co2_edgar') }} as ln_co2,
    {{ ln_pos('wide.grp_per_capita') }} as ln_rgdp_pc,
    {{ ln_pos('wide.grp_per_capita * real_grp.grp_real_2004 / nullif(wide.grp, 0)') }} as ln_real_grp_pc
from {{ ref('int_city_year_wide') }} as wide
left join {{ ref('int_employment') }} as employment
    on wide.city_code = employment.city_code and wide.year = employment.year
left join {{ ref('int_capital_stock') }} as capital
    on wide.city_code = capital.city_code and wide.year = capital.year
left join {{ ref('int_energy_allocation') }} as energy
    on wide.city_code = energy.city_code and wide.year = energy.year
left join {{ ref('int_real_grp') }} as real_grp
    on wide.city_code = real_grp.city_code and wide.year = real_grp.year
left join {{ ref('int_carbon') }} as carbon
    on wide.city_code = carbon.city_code and wide.year = carbon.year
where wide.is_panel_row
order by wide.city_code, wide.year
