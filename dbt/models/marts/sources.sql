{{ config(tags=['base']) }}
-- One row per table found in the landing folder, with what became of its cells.
with used as (

    select
        file,
        sheet,
        source,
        count(*) as n_resolved,
        count(*) filter (where candidate_no = 1) as n_preferred
    from {{ ref('int_candidates') }}
    group by file, sheet, source

)

select
    files.source,
    files.file,
    files.file_sha256,
    files.bytes,
    files.sheet,
    files.table_no,
    files.table_title,
    files.section,
    files.release,
    files.data_year,
    files.data_year_last,
    files.status,
    files.reason,
    files.n_entities,
    files.n_indicators,
    files.n_observations,
    files.n_missing,
    files.n_rejects,
    coalesce(used.n_resolved, 0) as n_resolved,
    coalesce(used.n_preferred, 0) as n_preferred
from {{ ref('int_files') }} as files
left join used
    on files.file = used.file and files.sheet = used.sheet and files.source = used.source
order by
    files.source, files.file, files.sheet, files.table_no, files.data_year, files.status, files.reason
