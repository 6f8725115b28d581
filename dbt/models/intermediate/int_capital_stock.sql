-- Capital stock at 2004 prices (亿元) by perpetual inventory, K_t = (1 - d) K_{t-1} + I_t / P_t, with
-- d = 9.6% and K of the first observed year = its real investment / 10% (Zhang, Wu and Zhang 2004).
-- Kept beside it: the steady-state base of Hall and Jones, I / (g + d), where g is the mean growth of
-- real investment over the first five years. P is the province's price index of fixed investment,
-- chained; where it is not published (from 2020 on) the national deflator of GDP goes on.
with prices as (

    select
        wide.city_code,
        wide.year,
        wide.investment_fixed / 10000 as investment,
        coalesce(wide.price_index_investment, 100 + deflator.value) / 100 as price_change
    from {{ ref('int_city_year_wide') }} as wide
    left join {{ ref('int_constants') }} as deflator
        on deflator.variable = 'gdp_deflator_growth_wb' and wide.year = deflator.year

),

indexed as (

    select
        *,
        product(price_change) over (
            partition by city_code
            order by year
            rows between unbounded preceding and current row
        ) as price_level
    from prices

),

based as (

    select
        indexed.city_code,
        indexed.year,
        indexed.investment * base.price_level / indexed.price_level as real_investment
    from indexed
    inner join indexed as base
        on indexed.city_code = base.city_code and base.year = 2004

),

started as (

    select
        *,
        min(year) filter (where real_investment is not null) over (partition by city_code) as first_year
    from based

),

numbered as (

    select
        city_code,
        year,
        real_investment,
        first_year,
        year - first_year as age,
        count(real_investment) over (
            partition by city_code
            order by year
            rows between unbounded preceding and current row
        ) as n_investment,
        first_value(real_investment) over (partition by city_code order by year) as base_investment,
        max(case when year = first_year + 5 then real_investment end) over (partition by city_code)
            as investment_after_5
    from started
    where year >= first_year

),

rates as (

    select
        max(value) filter (where variable = 'depreciation_capital') as depreciation,
        max(value) filter (where variable = 'base_capital_ratio') as base_ratio
    from {{ ref('int_constants') }}

),

-- K_t = (1-d)^age * (K_0 + sum over s = 1..age of I_s (1-d)^-s): the recursion, written as a sum.
accumulated as (

    select
        numbered.*,
        rates.depreciation,
        rates.base_ratio,
        sum(
            case
                when
                    numbered.age > 0
                    then numbered.real_investment * pow(1 - rates.depreciation, -numbered.age)
                else 0
            end
        ) over (
            partition by numbered.city_code
            order by numbered.year
            rows between unbounded preceding and current row
        ) as discounted,
        pow(numbered.investment_after_5 / nullif(numbered.base_investment, 0), 0.2) - 1 as early_growth
    from numbered
    cross join rates

)

select
    city_code,
    year,
    real_investment,
    case
        when n_investment = age + 1
            then pow(1 - depreciation, age) * (base_investment / base_ratio + discounted)
    end as capital,
    case
        when n_investment = age + 1 and early_growth + depreciation > 0
            then
                pow(1 - depreciation, age)
                * (base_investment / (early_growth + depreciation) + discounted)
    end as capital_hall_jones
from accumulated
order by city_code, year
