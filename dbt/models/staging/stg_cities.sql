-- The city dimension with typed flags and the year from which the unit has been a city.
with seed as (

    select * from {{ ref('cities') }}

)

select
    city_code,
    name_zh,
    short_zh,
    name_en,
    pinyin,
    province_code,
    province_zh,
    {{ province_key('province_zh') }} as province_key,
    unit_type,
    admin_rank,
    econ_region4,
    econ_region3,
    ns_province,
    ns_city,
    coalesce(cast(ns_straddle as integer), 0) as ns_straddle,
    cast(coastal as integer) as coastal,
    cast(is_subprovincial as integer) as is_subprovincial,
    cast(is_provincial_capital as integer) as is_provincial_capital,
    coalesce(cast(is_plan_city as integer), 0) as is_plan_city,
    cast(city_or_above as integer) as city_or_above,
    cast(in_2020_2023 as integer) as in_2020_2023,
    coalesce(exists_from, '') as exists_from,
    coalesce(exists_to, '') as exists_to,
    coalesce(former_names, '') as former_names,
    coalesce(former_codes, '') as former_codes,
    coalesce(current_name_since, '') as current_name_since,
    -- A unit founded in a year has a row for that year; one abolished in a year has its last row
    -- for the year before, because the yearbook reports year ends. Abolished in December, it is still
    -- reported for that year.
    case
        when exists_from is null or exists_from = 'before-2000' then 0
        else cast(left(exists_from, 4) as integer)
    end as first_year,
    case
        when exists_to is null or exists_to = '' then 9999
        when exists_to like '____-12' then cast(left(exists_to, 4) as integer)
        else cast(left(exists_to, 4) as integer) - 1
    end as last_year,
    -- Prefectures (地区) and leagues (盟) that became cities count as cities from that year on.
    case
        when cast(city_or_above as integer) = 0 then 9999
        when exists_from is not null and exists_from <> 'before-2000'
            then cast(left(exists_from, 4) as integer)
        when regexp_matches(coalesce(former_names, ''), '(地区|盟)$') and current_name_since is not null
            then cast(left(current_name_since, 4) as integer)
        else 0
    end as city_since,
    confidence,
    coalesce(note, '') as note
from seed
