{{ config(materialized='view') }}
-- Headers that need a look, as the marts see them.
select * from {{ ref('stg_headers') }}
