-- Headers that map to no indicator, or twice in one table, with the nearest registered spellings.
select
    source,
    file,
    sheet,
    table_no,
    section,
    indicator_key,
    coalesce(indicator_printed, '') as indicator_printed,
    scope,
    unit_key,
    coalesce(unit_printed, '') as unit_printed,
    status,
    indicator,
    nearest,
    distance,
    coalesce(candidates, '') as candidates,
    cells,
    first_year,
    last_year,
    coalesce(example_cell, '') as example_cell
from {{ source('derived', 'headers') }}
