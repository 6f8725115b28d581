-- The city dimension as the marts see it.
select * from {{ ref('stg_cities') }}
order by city_code
