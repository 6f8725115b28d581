{{ config(tags=['base']) }}
-- National constants in use, each with its source: the user's file where it gives the year, else the
-- shipped value. not_used names a value that was brought and is outside the range of the registry.
select
    variable,
    year,
    value,
    unit,
    source,
    confidence,
    note,
    shipped_value,
    not_used
from {{ ref('int_constants') }}
order by variable, year
