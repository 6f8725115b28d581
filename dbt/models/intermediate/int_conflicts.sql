-- Values that differ from the preferred one by more than the tolerance, with both cells and the ratio.
select
    preferred.level,
    preferred.unit_code,
    preferred.data_year,
    preferred.indicator,
    preferred.scope,
    preferred.item,
    preferred.value,
    other.value as other_value,
    case when preferred.value <> 0 then other.value / preferred.value end as ratio,
    preferred.unit,
    preferred.source,
    other.source as other_source,
    preferred.release,
    other.release as other_release,
    preferred.file,
    preferred.sheet,
    preferred.cell,
    other.file as other_file,
    other.sheet as other_sheet,
    other.cell as other_cell
from {{ ref('int_preferred') }} as preferred
inner join {{ ref('int_candidates') }} as other
    on
        preferred.level = other.level
        and preferred.unit_code = other.unit_code
        and preferred.data_year = other.data_year
        and preferred.indicator = other.indicator
        and preferred.scope = other.scope
        and preferred.item = other.item
where
    other.candidate_no > 1
    and abs(other.value - preferred.value)
    > {{ var('conflict_tolerance') }} * least(abs(other.value), abs(preferred.value))
