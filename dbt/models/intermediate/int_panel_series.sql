-- City series of the panel: the scope rule (see macro panel_columns) picks whole city or districts,
-- and indicators that do not vary over time are repeated in every year.
with series as (

    select
        unit_code as city_code,
        year,
        indicator,
        scope,
        value,
        is_filled
    from {{ ref('int_filled') }}
    where level = 'city' and item = ''

),

urban as (

    select * from series
    where indicator in ({{ "'" ~ urban_indicators() | join("', '") ~ "'" }})
    qualify scope = max(scope) over (partition by city_code, indicator)

),

constant as (

    select
        city_code,
        indicator,
        arg_max(value, year) as value
    from series
    where indicator in ({{ "'" ~ constant_indicators() | join("', '") ~ "'" }}) and scope = 'city'
    group by city_code, indicator

)

select
    city_code,
    year,
    indicator as column_name,
    scope,
    value,
    is_filled
from series
where
    scope = 'city'
    and indicator not in ({{ "'" ~ (urban_indicators() + constant_indicators()) | join("', '") ~ "'" }})
union all
select
    city_code,
    year,
    indicator as column_name,
    scope,
    value,
    is_filled
from urban
union all
select
    city_code,
    year,
    indicator || '_districts' as column_name,
    scope,
    value,
    is_filled
from series
where
    scope = 'districts'
    and indicator in ({{ "'" ~ districts_indicators() | join("', '") ~ "'" }})
union all
select
    city_years.city_code,
    city_years.year,
    constant.indicator as column_name,
    'city' as scope,
    constant.value,
    0 as is_filled
from constant
inner join {{ ref('int_city_years') }} as city_years
    on constant.city_code = city_years.city_code
