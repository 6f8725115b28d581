{{ config(tags=['base']) }}
-- Adoption year of every treated city, programme and reading.
select
    treatments.city_code,
    cities.name_zh as city_name,
    treatments.programme,
    treatments.reading,
    treatments.adoption_year,
    treatments.listed_level as level,
    treatments.batch,
    treatments.announced,
    treatments.confidence,
    treatments.note
from {{ ref('int_treatments') }} as treatments
inner join {{ ref('int_cities') }} as cities
    on treatments.city_code = cities.city_code
order by treatments.programme, treatments.reading, treatments.city_code
