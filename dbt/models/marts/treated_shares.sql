{{ config(tags=['base']) }}
-- Treated cities and share of treated city-years under every reading, in the window and city set of
-- the study that uses the programme, beside the share it prints.
with designs as (

    select
        study,
        programme,
        cast(first_year as integer) as first_year,
        cast(last_year as integer) as last_year,
        cast(share_printed as double) as share_printed,
        cast(cities_printed as integer) as cities_printed
    from {{ ref('published_treated_shares') }}

),

sample_cities as (

    select
        'A' as study,
        cities.city_code
    from {{ ref('int_cities') }} as cities
    where {{ is_current_city() }}
    union all
    select
        'B' as study,
        city_code
    from {{ ref('int_cities_b') }}
    union all
    select
        'C' as study,
        cities.city_code
    from {{ ref('int_cities') }} as cities
    where {{ is_current_city() }}
    union all
    select
        'D' as study,
        city_code
    from {{ ref('int_cities_d') }}

),

readings as (

    select distinct
        programme,
        reading
    from {{ ref('int_treatments') }}

),

city_years as (

    select
        designs.study,
        readings.programme,
        readings.reading,
        designs.first_year,
        designs.last_year,
        designs.share_printed,
        designs.cities_printed,
        sample_cities.city_code,
        case
            when treatments.adoption_year is null then 0
            else greatest(designs.last_year - greatest(treatments.adoption_year, designs.first_year) + 1, 0)
        end as treated_years
    from designs
    inner join readings
        on designs.programme = readings.programme
    inner join sample_cities
        on designs.study = sample_cities.study
    left join {{ ref('int_treatments') }} as treatments
        on
            sample_cities.city_code = treatments.city_code
            and readings.programme = treatments.programme
            and readings.reading = treatments.reading

)

select
    study,
    programme,
    reading,
    first_year,
    last_year,
    count(distinct city_code) as n_cities,
    count(distinct city_code) filter (where treated_years > 0) as n_treated,
    sum(treated_years) / (count(distinct city_code) * (last_year - first_year + 1.0))
        as share_treated,
    share_printed,
    cities_printed
from city_years
group by study, programme, reading, first_year, last_year, share_printed, cities_printed
order by study, programme, reading
