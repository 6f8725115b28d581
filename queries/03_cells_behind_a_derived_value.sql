-- Question: which printed cells enter a derived variable, here EL (education spending / GDP) of
-- study A for one city and year? `lineage` names the inputs, `provenance` their cells. Inputs of the
-- province carry the province's code, hence the second half of the join.
select
    derived.table_name,
    derived.column_name,
    s.el as derived_value,
    derived.input_column,
    cell.scope,
    cell.value as input_value,
    cell.unit,
    cell.is_filled,
    cell.file,
    cell.sheet,
    cell.cell
from sample_a as s
inner join lineage as derived
    on derived.table_name = 'sample_a' and derived.column_name = 'el'
inner join provenance as cell
    on
        derived.input_column = cell.column_name
        and s.year = cell.year
        and (s.city_code = cell.city_code or s.province_code = cell.city_code)
        and cell.scope = 'city'
where s.city_name = '南京市' and s.year = 2016
order by derived.input_column, cell.data_year;
