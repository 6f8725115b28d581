-- Rows and files that no reader could turn into an observation.
select
    source,
    coalesce(release, '') as release,
    data_year,
    coalesce(file, '') as file,
    coalesce(file_sha256, '') as file_sha256,
    coalesce(sheet, '') as sheet,
    row as row_no,
    col as col_no,
    coalesce(cell, '') as cell,
    coalesce(entity_printed, '') as entity_printed,
    coalesce(indicator_printed, '') as indicator_printed,
    coalesce(value_printed, '') as value_printed,
    reason,
    coalesce(detail, '') as detail,
    coalesce(suggestion, '') as suggestion
from {{ source('lake', 'rejects') }}
