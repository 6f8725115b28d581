-- Employment with one denominator: persons in urban units at year end (万人). Editions print it as a
-- total, later as non-private units in persons; where neither stands, the three sectors are added.
select
    city_code,
    year,
    is_panel_row,
    is_combined_row,
    coalesce(
        employees_total_unit,
        employees_urban_nonprivate / 10000,
        employees_primary + employees_secondary + employees_tertiary
    ) as employees_unit,
    employees_private_self,
    employees_primary,
    employees_secondary,
    employees_tertiary,
    employees_ict,
    employees_ict + employees_finance + employees_leasing_business + employees_science_tech
        as employees_producer_services
from {{ ref('int_city_year_wide') }}
