-- National constants in use: the value of a file that was brought goes before the one that is shipped
-- (seed constants), year by year. A deflator of product is taken as printed, otherwise computed from
-- product at current prices and its index at constant prices: (Y_t / Y_t-1) / (index_t / 100) - 1.
-- No other value stands beside a national one, so that an error of its unit or base would not be seen:
-- one outside the range of the registry is never used, printed or computed. It is named in not_used.
with brought as (

    select
        preferred.indicator,
        case preferred.indicator
            when 'cny_per_usd' then 'cny_per_usd_nbs'
            when 'rd_expenditure_national' then 'rd_expenditure'
            when 'gdp_deflator_growth' then 'gdp_deflator_growth_wb'
            when 'cpi_national' then 'cpi_prev100_nbs'
            else preferred.indicator
        end as variable,
        preferred.data_year as year,
        preferred.value,
        preferred.unit,
        preferred.source,
        preferred.file || ' | ' || preferred.sheet || ' | ' || preferred.cell as origin,
        try_cast(registry.min as double) as low,
        try_cast(registry.max as double) as high
    from {{ ref('int_preferred') }} as preferred
    left join {{ ref('indicators') }} as registry
        on preferred.indicator = registry.indicator
    where preferred.level = 'national' and preferred.scope = 'city'

),

plausible as (

    select * from brought
    where coalesce(value between low and high, true)

),

deflators as (

    select
        product.year,
        100 * (product.value / before.value / (volume.value / 100) - 1) as value,
        product.source,
        product.origin || '; ' || before.origin || '; ' || volume.origin as origin,
        try_cast(registry.min as double) as low,
        try_cast(registry.max as double) as high
    from plausible as product
    inner join plausible as before
        on before.indicator = 'gdp_national' and product.year = before.year + 1
    inner join plausible as volume
        on volume.indicator = 'gdp_index_national' and product.year = volume.year
    left join {{ ref('indicators') }} as registry
        on registry.indicator = 'gdp_deflator_growth'
    where product.indicator = 'gdp_national'

),

candidates as (

    select
        variable,
        year,
        value,
        unit,
        source,
        origin,
        low,
        high,
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
        low,
        high,
        2 as order_no
    from deflators

),

chosen as (

    select * from candidates
    where coalesce(value between low and high, true)
    qualify row_number() over (
        partition by variable, year
        order by order_no
    ) = 1

),

outside as (

    select
        variable,
        year,
        string_agg(
            case order_no when 2 then 'computed ' else '' end || round(value, 4) || ' ' || coalesce(unit, '')
            || ' (' || origin || ') is outside the range of the registry, ' || low || ' to ' || high,
            '; '
            order by order_no
        ) as not_used
    from candidates
    where value < low or value > high
    group by variable, year

),

in_use as (

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

)

select
    coalesce(in_use.variable, outside.variable) as variable,
    coalesce(in_use.year, outside.year) as year,
    in_use.value,
    in_use.unit,
    in_use.source,
    coalesce(in_use.confidence, 'none') as confidence,
    in_use.note,
    in_use.shipped_value,
    outside.not_used || case
        when in_use.variable is null then '; the year has no value'
        when in_use.confidence = 'brought' then '; another value that was brought is used'
        else '; the shipped constant is kept'
    end as not_used
from in_use
full outer join outside
    on in_use.variable = outside.variable and in_use.year = outside.year
order by variable, year
