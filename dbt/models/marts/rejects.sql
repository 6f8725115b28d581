{{ config(tags=['base']) }}
-- What could not be read: file, sheet, cell, reason and what to do.
select
    source,
    release,
    data_year,
    file,
    file_sha256,
    sheet,
    row_no,
    col_no,
    cell,
    entity_printed,
    indicator_printed,
    value_printed,
    reason,
    detail,
    suggestion
from {{ ref('int_rejects') }}
order by source, file, sheet, row_no, col_no, cell, reason, detail
