-- Question: before any regression, how does an outcome of treated cities move around adoption, against
-- cities never treated in the same calendar years? Study D: smart cities and the log of carbon.
with treated as (

    select
        city_code,
        year,
        year - smart_year as event_time,
        carbon
    from sample_d
    where treat = 1 and carbon is not null

),

never_treated as (

    select
        year,
        avg(carbon) as mean_carbon
    from sample_d
    where treat = 0 and carbon is not null
    group by year

)

select
    treated.event_time,
    count(distinct treated.city_code) as treated_cities,
    round(avg(treated.carbon), 4) as mean_treated,
    round(avg(never_treated.mean_carbon), 4) as mean_never_treated,
    round(avg(treated.carbon - never_treated.mean_carbon), 4) as difference
from treated
inner join never_treated on treated.year = never_treated.year
where treated.event_time between -5 and 5
group by treated.event_time
order by treated.event_time;
