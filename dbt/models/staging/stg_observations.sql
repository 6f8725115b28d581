-- Every printed cell of every source, with absent text as empty strings so that joins see it. What
-- carries no year (height, relief) does not change over time and gets year 0.
select
    source,
    coalesce(release, '') as release,
    coalesce(data_year, 0) as data_year,
    coalesce(section, '') as section,
    coalesce(table_no, '') as table_no,
    coalesce(table_title, '') as table_title,
    coalesce(entity_printed, '') as entity_printed,
    coalesce(regexp_extract(entity_code_printed, '^\d{6}'), '') as entity_code,
    coalesce(province_printed, '') as province_printed,
    coalesce(indicator_printed, '') as indicator_printed,
    coalesce(indicator_key, '') as indicator_key,
    coalesce(scope, 'unspecified') as scope,
    coalesce(unit_printed, '') as unit_printed,
    coalesce(unit_key, '') as unit_key,
    coalesce(value_printed, '') as value_printed,
    value,
    coalesce(note, '') as note,
    coalesce(file, '') as file,
    coalesce(file_sha256, '') as file_sha256,
    coalesce(sheet, '') as sheet,
    coalesce(row, 0) as row_no,
    coalesce(col, 0) as col_no,
    coalesce(cell, '') as cell
from {{ source('lake', 'raw') }}
where value is not null
