{# Which canonical indicators become columns of the wide panel. `city` indicators are taken for the
   whole city; `urban` ones (town networks and built-up land) are printed for the districts in most
   editions, so a city's series is the districts one if it has any, otherwise the whole-city one.
   A data test compares these lists with seeds/indicators.csv. #}

{% macro city_indicators() %}
{{ return([
    'pop_resident', 'pop_registered', 'pop_registered_urban', 'pop_resident_urban', 'pop_average',
    'pop_nonagricultural', 'natural_growth_rate', 'pop_density', 'urbanisation_rate', 'land_area',
    'grp', 'grp_per_capita', 'grp_growth', 'share_primary', 'value_added_primary', 'share_secondary',
    'value_added_secondary', 'share_tertiary', 'value_added_tertiary', 'fiscal_revenue',
    'fiscal_expenditure', 'expenditure_science', 'expenditure_education', 'deposits', 'loans',
    'savings_household', 'fdi_actual', 'fdi_contracts', 'imports', 'exports', 'retail_sales',
    'retail_above_size', 'sales_above_size', 'employees_urban_nonprivate', 'employees_total_unit',
    'employees_private_self', 'unemployed_registered', 'employees_primary', 'employees_share_primary',
    'employees_secondary', 'employees_share_secondary', 'employees_tertiary',
    'employees_share_tertiary', 'employees_agriculture', 'employees_mining', 'employees_manufacturing',
    'employees_utilities', 'employees_construction', 'employees_wholesale_retail',
    'employees_transport', 'employees_accommodation', 'employees_ict', 'employees_finance',
    'employees_realestate', 'employees_leasing_business', 'employees_science_tech',
    'employees_water_environment', 'employees_resident_services', 'employees_education',
    'employees_health', 'employees_culture', 'employees_public_admin', 'employees_onpost_average',
    'wage_total', 'wage_average', 'students_higher', 'schools_higher', 'teachers_higher',
    'students_secondary', 'students_primary', 'library_books', 'hospital_beds', 'hospitals',
    'so2_removed', 'highway_mileage', 'doctors', 'broadband_subscribers', 'mobile_subscribers',
    'telephone_subscribers', 'post_revenue', 'telecom_revenue', 'electricity_total',
    'electricity_industry', 'electricity_household', 'passengers', 'freight', 'so2_industrial',
    'dust_industrial', 'nox_industrial', 'wastewater_industrial', 'pm25',
    'pm25_population_weighted', 'air_good_days_share', 'sewage_treatment_rate',
    'waste_treatment_rate', 'solid_waste_use_rate', 'investment_fixed',
    'investment_realestate', 'industrial_output', 'industrial_enterprises', 'patents_granted',
    'patents_invention_granted', 'rd_personnel', 'rd_expenditure', 'patents_applied',
    'patents_invention_applied', 'patents_invention_authorised', 'patents_green',
    'patents_green_invention', 'patents_digital', 'co2_edgar', 'night_light', 'night_light_mean',
    'elevation_mean', 'relief', 'digital_finance_index', 'digital_finance_breadth',
    'digital_finance_depth', 'digital_finance_digitization', 'words_total', 'words_environment',
    'words_new_quality', 'key_enterprises', 'digital_china_index', 'co2_ceads', 'grp_index',
    'grp_real_2000', 'grp_deflator',
]) }}
{% endmacro %}

{% macro urban_indicators() %}
{{ return([
    'built_up_area', 'construction_land', 'gas_supply', 'gas_residential', 'lpg_supply', 'water_supply',
    'road_area', 'road_area_per_capita', 'green_coverage', 'green_area', 'buses', 'taxis',
]) }}
{% endmacro %}

{# Also kept for the districts alone. #}
{% macro districts_indicators() %}
{{ return(['pop_resident', 'pop_registered', 'grp']) }}
{% endmacro %}

{# Reported for provinces; every city of a province gets the province's value. #}
{% macro province_indicators() %}
{{ return([
    'marketisation_index', 'energy_province', 'price_index_investment', 'price_index_consumer',
]) }}
{% endmacro %}

{# Do not vary over time: one observed value serves every year, and is not counted as filled. #}
{% macro constant_indicators() %}
{{ return(['elevation_mean', 'relief']) }}
{% endmacro %}
