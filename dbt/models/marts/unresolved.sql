{{ config(tags=['base']) }}
-- Names, indicators and units that could not be resolved, with the reason.
select
    kind,
    source,
    reason,
    printed,
    context,
    n_cells,
    first_year,
    last_year,
    example_cell
from {{ ref('int_unresolved') }}
order by kind, source, reason, printed, context
