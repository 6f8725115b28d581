{{ config(tags=['base']) }}
-- Behind every value of a combined unit: what each member was observed to be, its weight, and the outcome.
select
    members.survivor_code as city_code,
    survivors.name_zh as city_name,
    members.member_code,
    names.name_zh as member_name,
    members.data_year as year,
    members.indicator as column_name,
    members.scope,
    members.combine as rule,
    members.value as member_value,
    members.source as member_source,
    members.weight_indicator,
    members.weight as member_weight,
    series.value,
    series.outcome
from {{ ref('int_combined_members') }} as members
inner join {{ ref('int_combined_series') }} as series
    on
        members.combined_code = series.combined_code
        and members.indicator = series.indicator
        and members.scope = series.scope
        and members.data_year = series.data_year
inner join {{ ref('int_cities') }} as survivors
    on members.survivor_code = survivors.city_code
inner join {{ ref('int_cities') }} as names
    on members.member_code = names.city_code
order by
    city_code, column_name, members.scope, members.data_year, members.member_code
