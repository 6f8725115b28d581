{{ config(tags=['base']) }}
-- National constants in use, each with its source: the user's file where it gives the year, else the
-- shipped value.
select
    variable,
    year,
    value,
    unit,
    source,
    confidence,
    note,
    shipped_value
from {{ ref('int_constants') }}
order by variable, year
