{{ config(tags=['outcomes']) }}
-- Outcomes computed outside SQL, one row per city and year.
select * from {{ ref('stg_outcomes') }}
order by city_code, year
