-- Question: which cities enter a pilot programme in which year, how many are treated by then, and how
-- sure is the roster? Programmes and their readings: select distinct programme, reading from treatments.
select
    adoption_year,
    confidence,
    count(*) as cities_entering,
    cast(sum(count(*)) over (order by adoption_year, confidence) as integer) as cities_treated_so_far,
    string_agg(city_name, '、' order by city_code) as cities
from treatments
where programme = 'low_carbon' and reading = 'incl_province'
group by adoption_year, confidence
order by adoption_year, confidence;
