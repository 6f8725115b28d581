-- One row per table found in a file of the landing folder.
select
    source,
    coalesce(file, '') as file,
    coalesce(file_sha256, '') as file_sha256,
    bytes,
    coalesce(sheet, '') as sheet,
    coalesce(table_no, '') as table_no,
    coalesce(table_title, '') as table_title,
    coalesce(section, '') as section,
    coalesce(release, '') as release,
    data_year,
    data_year_last,
    status,
    coalesce(reason, '') as reason,
    n_entities,
    n_indicators,
    n_observations,
    n_missing,
    n_rejects
from {{ source('lake', 'files') }}
