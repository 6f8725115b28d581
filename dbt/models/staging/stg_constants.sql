-- National constants: emission factors, yearly rates, indices.
select
    variable,
    try_cast(year as integer) as year,
    cast(value as double) as value,
    unit,
    source,
    confidence,
    coalesce(note, '') as note
from {{ ref('constants') }}
