-- Location quotients of employment. A city enters the national sums of a year only with both its
-- industry and its total, so that numerator and denominator cover the same cities. Combined units have
-- quotients, but the national sums stand on the units as reported.
with national as (

    select
        year,
        {{ stable_sum('employees_ict', 'city_code') }} filter (where employees_unit > 0) as ict,
        {{ stable_sum('employees_unit', 'city_code') }}
        filter (where employees_ict is not null) as total_beside_ict,
        {{ stable_sum('employees_producer_services', 'city_code') }}
        filter (where employees_unit > 0) as services,
        {{ stable_sum('employees_unit', 'city_code') }}
        filter (where employees_producer_services is not null) as total_beside_services
    from {{ ref('int_employment') }}
    where is_panel_row
    group by year

)

select
    employment.city_code,
    employment.year,
    {{ location_quotient(
        'employment.employees_ict', 'employment.employees_unit', 'national.ict', 'national.total_beside_ict'
    ) }} as dia,
    {{ location_quotient(
        'employment.employees_producer_services', 'employment.employees_unit',
        'national.services', 'national.total_beside_services'
    ) }} as sagg
from {{ ref('int_employment') }} as employment
inner join national
    on employment.year = national.year
where employment.is_panel_row or employment.is_combined_row
order by employment.city_code, employment.year
