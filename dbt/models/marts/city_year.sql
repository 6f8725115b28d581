{{ config(tags=['base']) }}
-- The clean panel: one row per city and year while the city exists, within the boundary of its year.
-- Merged units on one boundary over the whole span: city_year_consistent.
select
    vars.city_code,
    cities.name_zh as city_name,
    cities.province_code,
    cities.province_zh as province_name,
    vars.year,
    {{ city_year_columns() }}
{{ sample_from() }}
where vars.is_panel_row
order by vars.city_code, vars.year
