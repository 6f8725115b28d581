-- National constants in use: the value of a file that was brought goes before the one that is shipped
-- (seed constants), year by year. A deflator of product is taken as printed, otherwise computed from
-- product at current prices and its index at constant prices: (Y_t / Y_t-1) / (index_t / 100) - 1.
with brought as (

    select
        indicator,
        data_year as year,
        value,
        unit,
        source,
        file || ' | ' || sheet || ' | ' || cell as origin
    from {{ ref('int_preferred') }}
    where level = 'national' and scope = 'city'

),

deflators as (

    select
        product.year,
        100 * (product.value / before.value / (volume.value / 100) - 1) as value,
        product.source,
        product.origin || '; ' || before.origin || '; ' || volume.origin as origin
    from brought as product
    inner join brought as before
        on before.indicator = 'gdp_national' and product.year = before.year + 1
    inner join brought as volume
        on volume.indicator = 'gdp_index_national' and product.year = volume.year
    where product.indicator = 'gdp_national'

),

candidates as (

    select
        case indicator
            when 'cny_per_usd' then 'cny_per_usd_nbs'
            when 'rd_expenditure_national' then 'rd_expenditure'
            when 'gdp_deflator_growth' then 'gdp_deflator_growth_wb'
            when 'cpi_national' then 'cpi_prev100_nbs'
            else indicator
        end as variable,
        year,
        value,
        unit,
        source,
        origin,
        1 as order_no
    from brought
    union all
    select
        'gdp_deflator_growth_wb' as variable,
        year,
        value,
        '%' as unit,
        source,
        origin,
        2 as order_no
    from deflators

),

chosen as (

    select * from candidates
    qualify row_number() over (
        partition by variable, year
        order by order_no
    ) = 1

)

select
    coalesce(chosen.variable, shipped.variable) as variable,
    coalesce(chosen.year, shipped.year) as year,
    coalesce(chosen.value, shipped.value) as value,
    coalesce(shipped.unit, chosen.unit) as unit,
    coalesce(chosen.source, shipped.source) as source,
    case when chosen.variable is not null then 'brought' else shipped.confidence end as confidence,
    coalesce(chosen.origin, shipped.note) as note,
    shipped.value as shipped_value
from chosen
full outer join {{ ref('stg_constants') }} as shipped
    on chosen.variable = shipped.variable and chosen.year = shipped.year
order by variable, year
