-- One value per combined unit, year, indicator and scope, by the rule of the registry (column combine):
-- a quantity is summed; a share or rate is the mean of its members weighted by its denominator, which is
-- the ratio of the sums; a score of a government is that of the surviving unit. All members must be
-- observed in the year, otherwise there is no value, and the outcome says why.
with counted as (

    select
        combined_code,
        survivor_code,
        indicator,
        scope,
        data_year,
        combine,
        count(*) as n_members,
        count(value) as n_observed,
        count(weight) as n_weights,
        max(value) filter (where is_survivor) as survivor_value,
        coalesce(bool_or(on_todays_territory) filter (where is_survivor and value is not null), false)
        and not coalesce(bool_or(on_todays_territory) filter (where not is_survivor), false) as covers_all,
        {{ stable_sum('value', 'member_code') }} as total,
        {{ stable_sum('value * weight', 'member_code') }} as weighted_total,
        {{ stable_sum('weight', 'member_code') }} as total_weight
    from {{ ref('int_combined_members') }}
    group by all

),

judged as (

    select
        *,
        case
            when n_members = 1 then 'the surviving unit alone'
            when covers_all then 'printed for the territory of today'
            when combine = 'survivor' and survivor_value is not null then 'that of the surviving unit'
            when combine not in ('sum', 'survivor') and combine not like 'mean %'
                then 'none: no rule combines this indicator'
            when n_observed < n_members then 'none: a member is not observed'
            when combine = 'sum' then 'sum of the members'
            when n_weights < n_members then 'none: the weight of a member is not observed'
            when total_weight <= 0 then 'none: the weights add up to nothing'
            else 'mean of the members, weighted'
        end as outcome
    from counted

)

select
    combined_code,
    survivor_code,
    indicator,
    scope,
    data_year,
    combine,
    n_members,
    n_observed,
    outcome,
    case
        when outcome like 'none%' then null
        when outcome = 'sum of the members' then total
        when outcome = 'mean of the members, weighted' then weighted_total / total_weight
        else survivor_value
    end as value
from judged
order by combined_code, indicator, scope, data_year
