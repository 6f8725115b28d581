-- One row per distinct printed entity and year: the city or province it means, or the reason why
-- that cannot be said. A printed code wins, and a printed six-digit code that is no city's is not
-- overruled by the name beside it (吉林 with the province's code is not 吉林市). Without a code the name
-- decides, inside its province and its years of validity. A name that still means two cities is not
-- resolved: never a guess. The country as a whole has the code 000000.
with printed as (

    select distinct
        entity_printed,
        entity_code,
        province_printed,
        section,
        data_year
    from {{ ref('stg_observations') }}

),

keyed as (

    select
        *,
        {{ name_key('entity_printed') }} as name_key,
        {{ province_key('province_printed') }} as province_key,
        {{ province_key('entity_printed') }} as entity_province_key
    from printed

),

provinces as (

    select distinct
        province_code,
        province_key
    from {{ ref('stg_cities') }}

),

-- Codes a unit carries or carried (former codes of prefectures that became cities) mean the same unit.
codes as (

    select
        code_printed as code,
        city_code
    from {{ ref('city_codes') }}

),

by_code as (

    select
        keyed.*,
        codes.city_code as city_by_code
    from keyed
    left join codes
        on keyed.entity_code = codes.code

),

candidates as (

    select
        by_code.entity_printed,
        by_code.entity_code,
        by_code.province_printed,
        by_code.section,
        by_code.data_year,
        names.city_code,
        names.kind,
        cast(
            by_code.data_year = 0
            or by_code.data_year >= coalesce(try_cast(names.valid_from as integer), 0)
            and by_code.data_year <= coalesce(try_cast(names.valid_to as integer), 9999) as boolean
        ) as is_valid
    from by_code
    left join provinces
        on by_code.province_key = provinces.province_key
    inner join {{ ref('city_names') }} as names
        on
            by_code.name_key = names.name_key
            and (provinces.province_code is null or provinces.province_code = names.province_code)
    where
        by_code.city_by_code is null
        and not {{ is_gb_code('by_code.entity_code') }}

),

by_name as (

    select
        entity_printed,
        entity_code,
        province_printed,
        section,
        data_year,
        count(distinct city_code) filter (where is_valid) as n_valid,
        min(city_code) filter (where is_valid) as city_code,
        count(distinct city_code) as n_any
    from candidates
    group by all

)

select
    by_code.entity_printed,
    by_code.entity_code,
    by_code.province_printed,
    by_code.section,
    by_code.data_year,
    case
        when by_code.section = 'province' and entity_province.province_code is not null then 'province'
        when by_code.section in ('province', 'county', 'national') then by_code.section
        else 'city'
    end as level,
    case
        when by_code.section = 'province' then entity_province.province_code
        when by_code.section = 'national' then '000000'
        when by_code.section = 'county' then null
        when by_code.city_by_code is not null then by_code.city_by_code
        when by_name.n_valid = 1 then by_name.city_code
    end as unit_code,
    case
        when by_code.section = 'province' and entity_province.province_code is null then 'province_unknown'
        when by_code.section in ('province', 'county', 'national') then null
        when by_code.city_by_code is not null or by_name.n_valid = 1 then null
        when {{ is_gb_code('by_code.entity_code') }} then 'code_of_no_city'
        when by_name.n_valid > 1 then 'name_ambiguous'
        when by_name.n_any > 0 then 'name_outside_its_years'
        else 'name_unknown'
    end as reason
from by_code
left join by_name
    on
        by_code.entity_printed = by_name.entity_printed
        and by_code.entity_code = by_name.entity_code
        and by_code.province_printed = by_name.province_printed
        and by_code.section = by_name.section
        and by_code.data_year = by_name.data_year
left join provinces as entity_province
    on by_code.entity_province_key = entity_province.province_key
