{{ config(materialized='view') }}
-- Rejects as the marts see them.
select * from {{ ref('stg_rejects') }}
