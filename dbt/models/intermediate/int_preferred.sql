{{ config(materialized='view') }}
-- The one value the panel takes for each city (or province), year, indicator and scope.
select * exclude (candidate_no)
from {{ ref('int_candidates') }}
where candidate_no = 1
