-- Question: which headers and columns of your files were not used, and which indicator is each nearest to?
-- One that plainly belongs goes into dbt/seeds/indicator_spellings.csv, or into its mapping file.
select
    source,
    status,
    indicator_printed as header,
    unit_printed as unit,
    scope,
    candidates,
    cast(sum(cells) as bigint) as cells,
    min(first_year) as first_year,
    max(last_year) as last_year,
    count(distinct file) as files,
    min(file || ' ' || sheet || ' ' || example_cell) as example_cell
from unmapped_headers
group by source, status, indicator_printed, unit_printed, scope, candidates
order by cells desc, source asc, header asc;
