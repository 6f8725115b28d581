-- Question: which units stand on a roster and treat no city, and why (districts, counties, zones)?
-- A district or county pilot does not make its prefecture a treated city.
select
    programme,
    reason,
    count(distinct listed_unit) as listed_units,
    string_agg(distinct listed_unit, '、' order by listed_unit) as names
from pilot_units
where flags_city = 0
group by programme, reason
order by programme asc, listed_units desc, reason asc;
