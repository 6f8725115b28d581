-- Question: for how many cities does each variable have a value in each year, printed or interpolated?
select
    cell.column_name,
    cell.year,
    count(distinct cell.city_code) filter (where cell.is_filled = 0) as cities_observed,
    count(distinct cell.city_code) filter (where cell.is_filled = 1) as cities_interpolated,
    count(distinct cell.city_code) as cities_with_a_value,
    string_agg(distinct cell.source, ', ' order by cell.source) as sources
from provenance as cell
inner join cities as c on cell.city_code = c.city_code
where c.city_or_above = 1 and cell.scope = 'city'
group by cell.column_name, cell.year
order by cell.column_name, cell.year;
