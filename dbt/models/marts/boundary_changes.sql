{{ config(tags=['base']) }}
-- Changes of territory between units at prefecture level, and what each reading of the panel makes of them.
select
    cast(changes.data_year as integer) as year,
    changes.effective,
    changes.change,
    changes.city_code,
    changes.city_zh as city_name,
    changes.partner_code,
    changes.partner_zh as partner_name,
    changes.unit_moved,
    cast(combined.combined_code is not null as integer) as is_combined,
    case
        when combined.combined_code is not null
            then 'combined under ' || combined.survivor_code || ' in city_year_consistent'
        when changes.additive = '1' then 'same territory: nothing to combine'
        when breaks.n_sides > 0 then 'break: boundary_break and boundary_segment mark it'
        else 'no series of the panel spans it'
    end as consistent_reading,
    changes.confidence,
    coalesce(changes.note, '') as note
from {{ ref('city_boundary_changes') }} as changes
left join {{ ref('int_combined_units') }} as combined
    on changes.city_code = combined.member_code and changes.consistent_code = combined.survivor_code
left join (
    select
        events.data_year,
        events.city_code,
        events.partner_code,
        count(*) as n_sides
    from {{ ref('city_boundary_changes') }} as events
    inner join {{ ref('int_boundary_breaks') }} as sides
        on
            sides.city_code in (events.city_code, events.partner_code)
            and sides.break_year = cast(events.data_year as integer)
    where events.additive = '0'
    group by events.data_year, events.city_code, events.partner_code
) as breaks
    on
        changes.data_year = breaks.data_year
        and changes.city_code = breaks.city_code
        and changes.partner_code = breaks.partner_code
order by year, changes.city_code, changes.partner_code
