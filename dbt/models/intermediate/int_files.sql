{{ config(materialized='view') }}
-- Files as the marts see them.
select * from {{ ref('stg_files') }}
