{{ config(tags=['base']) }}
-- The clean panel: one row per city and year while the city exists.
{% set programmes = [
    'bigdata', 'bigdata_wide', 'innovative', 'smart_city', 'smart_city_batch', 'low_carbon',
    'low_carbon_individual', 'dual', 'dual_individual', 'broadband', 'carbon_ets', 'civilized_city',
] %}
select
    vars.city_code,
    cities.name_zh as city_name,
    cities.province_code,
    cities.province_zh as province_name,
    vars.year,
    {%- for column in city_indicators() + urban_indicators() %}
    wide.{{ column }},
    {%- endfor %}
    {%- for column in districts_indicators() %}
    wide.{{ column }}_districts,
    {%- endfor %}
    {%- for column in province_indicators() %}
    wide.{{ column }},
    {%- endfor %}
    vars.population,
    vars.population_basis,
    vars.population_density,
    vars.resident_density,
    vars.urban_share,
    vars.employees_unit,
    vars.tertiary_employment_share,
    vars.secondary_share,
    vars.tertiary_to_secondary,
    vars.education_share,
    vars.science_share,
    vars.retail_share,
    vars.fiscal_expenditure_share,
    vars.loans_share,
    vars.deposits_loans_share,
    vars.fdi_share,
    vars.fiscal_autonomy,
    vars.science_in_spending,
    vars.students_per_capita,
    vars.broadband_per_capita,
    vars.grp_real_2004,
    vars.grp_real_rule,
    vars.grp_per_capita_real,
    vars.capital,
    vars.capital_hall_jones,
    vars.energy,
    vars.green_patent_share,
    vars.green_patents_per_researcher,
    vars.environment_attention,
    vars.new_quality_attention,
    vars.dia,
    vars.sagg,
    vars.magg,
    vars.magg_percent,
    vars.coag,
    vars.industrial_upgrading,
    vars.economic_density,
    vars.so2_intensity,
    vars.carbon_gas_t,
    vars.carbon_lpg_t,
    vars.carbon_electricity_t,
    vars.carbon_t,
    vars.carbon_intensity,
    vars.key_enterprise_share,
    {%- for programme in programmes %}
    flags.{{ programme }},
    {%- endfor %}
    {%- for programme in programmes %}
    flags.{{ programme }}_year{{ "," if not loop.last }}
    {%- endfor %}
{{ sample_from() }}
where vars.is_panel_row
order by vars.city_code, vars.year
