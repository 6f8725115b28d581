{{ config(tags=['base']) }}
-- Headers of every table read that the registry of indicators does not know, or knows twice.
select
    source,
    file,
    sheet,
    table_no,
    section,
    indicator_key,
    indicator_printed,
    scope,
    unit_key,
    unit_printed,
    status,
    indicator,
    nearest,
    distance,
    candidates,
    cells,
    first_year,
    last_year,
    example_cell
from {{ ref('int_headers') }}
order by source, file, sheet, table_no, section, indicator_key, scope, unit_key, status
