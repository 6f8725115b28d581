-- Real gross regional product at 2004 prices (亿元): the product of 2004 carried along by the printed
-- growth rates of constant-price product. A year is reached only if every growth rate between it and
-- 2004 is known; otherwise the compiled constant-price series is taken, rescaled to 2004.
with growth as (

    select
        city_code,
        year,
        grp,
        grp_real_2000,
        coalesce(grp_growth, grp_index - 100) as growth
    from {{ ref('int_city_year_wide') }}

),

chained as (

    select
        *,
        product(1 + growth / 100) over (
            partition by city_code
            order by year
            rows between unbounded preceding and current row
        ) as growth_index,
        count(growth) over (
            partition by city_code
            order by year
            rows between unbounded preceding and current row
        ) as n_growth
    from growth

),

base as (

    select
        city_code,
        grp as grp_2004,
        grp_real_2000 as real_2004,
        growth_index as index_2004,
        n_growth as n_2004
    from chained
    where year = 2004

)

select
    chained.city_code,
    chained.year,
    case
        when chained.year = 2004 then base.grp_2004
        when abs(chained.n_growth - base.n_2004) = abs(chained.year - 2004)
            then base.grp_2004 * chained.growth_index / coalesce(base.index_2004, 1)
        else base.grp_2004 * chained.grp_real_2000 / nullif(base.real_2004, 0)
    end as grp_real_2004,
    case
        when chained.year = 2004 then 'base year'
        when abs(chained.n_growth - base.n_2004) = abs(chained.year - 2004) then 'growth chain'
        when chained.grp_real_2000 is not null and base.real_2004 is not null then 'compiled real product'
    end as grp_real_rule
from chained
inner join base
    on chained.city_code = base.city_code
order by chained.city_code, chained.year
