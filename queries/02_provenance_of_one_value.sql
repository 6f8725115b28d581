-- Question: where does one value of the panel come from, from printed cell to converted number?
-- `printed_number` times `conversion_factor` is `value`; a value read off a grid has no printed text.
select
    column_name,
    scope,
    value,
    unit,
    try_cast(value_printed as double) as printed_number,
    unit_printed,
    conversion_factor,
    is_filled,
    data_year,
    entity_printed,
    indicator_printed,
    source,
    release,
    file,
    sheet,
    cell,
    file_sha256
from provenance
where city_code = '320100' and year = 2016 and column_name = 'expenditure_education'
order by scope, data_year;
