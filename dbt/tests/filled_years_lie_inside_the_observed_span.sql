-- No filled year before the first or after the last observed one, on the data themselves.
select filled.unit_code, filled.indicator, filled.scope, filled.item, filled.year
from {{ ref('int_filled') }} as filled
inner join (
    select level, unit_code, indicator, scope, item, min(data_year) as first_year, max(data_year) as last_year
    from {{ ref('int_preferred') }}
    group by level, unit_code, indicator, scope, item
) as observed
    on
        filled.level = observed.level
        and filled.unit_code = observed.unit_code
        and filled.indicator = observed.indicator
        and filled.scope = observed.scope
        and filled.item = observed.item
where filled.is_filled = 1 and (filled.year <= observed.first_year or filled.year >= observed.last_year)
