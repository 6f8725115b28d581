-- Question: what is the GDP of a city in each year, and in which printed cell does it stand?
-- Change the name in the where clause. A filled year has two cells: the observed years around it.
select
    p.year,
    p.grp as grp_100m_yuan,
    case cell.is_filled when 1 then 'interpolated' else 'observed' end as how,
    cell.data_year as printed_for_year,
    cell.value_printed,
    cell.unit_printed,
    cell.source,
    cell.release as edition,
    cell.file,
    cell.sheet,
    cell.cell
from city_year as p
inner join provenance as cell
    on
        p.city_code = cell.city_code
        and p.year = cell.year
        and cell.column_name = 'grp'
        and cell.scope = 'city'
where p.city_name = '南京市'
order by p.year, cell.data_year;
