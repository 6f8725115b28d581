{{ config(tags=['base']) }}
-- Values of another source or edition that differ from the one the panel takes.
select
    conflicts.unit_code,
    cities.name_zh as city_name,
    conflicts.data_year as year,
    conflicts.indicator,
    conflicts.scope,
    conflicts.item,
    conflicts.unit,
    conflicts.value,
    conflicts.other_value,
    conflicts.ratio,
    conflicts.source,
    conflicts.other_source,
    conflicts.release,
    conflicts.other_release,
    conflicts.file,
    conflicts.sheet,
    conflicts.cell,
    conflicts.other_file,
    conflicts.other_sheet,
    conflicts.other_cell
from {{ ref('int_conflicts') }} as conflicts
left join {{ ref('int_cities') }} as cities
    on conflicts.unit_code = cities.city_code
order by
    conflicts.unit_code, conflicts.data_year, conflicts.indicator, conflicts.scope, conflicts.item,
    conflicts.other_source, conflicts.other_release, conflicts.other_file, conflicts.other_cell,
    conflicts.other_sheet, conflicts.other_value
