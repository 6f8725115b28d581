-- Advanced manufacturing: location quotient of each province among all provinces, from the average
-- number of persons in above-scale manufacturing by industry, allocated to cities by their science
-- share of fiscal spending relative to that of the province's cities together.
with industries as (

    select
        employment.unit_code as province_code,
        employment.year,
        employment.value,
        coalesce(classes.class, 'other') as class
    from {{ ref('int_filled') }} as employment
    left join {{ ref('industry_classes') }} as classes
        on employment.item = {{ name_key('classes.industry') }}
    where employment.level = 'province' and employment.indicator = 'employment_industry_province'

),

-- A printed total wins over the sum of the industries.
province_sums as (

    select
        province_code,
        year,
        {{ stable_sum('value', 'value') }} filter (where class = 'advanced') as advanced,
        coalesce(
            max(value) filter (where class = 'total'),
            {{ stable_sum('value', 'value') }} filter (where class <> 'total')
        ) as total
    from industries
    group by province_code, year

),

national as (

    select
        year,
        {{ stable_sum('advanced', 'province_code') }} as advanced,
        {{ stable_sum('total', 'province_code') }} as total
    from province_sums
    group by year

),

cities as (

    select
        city_code,
        province_code,
        year,
        expenditure_science,
        fiscal_expenditure,
        -- What stands in the province's sums: a combined unit does not, its members do.
        case when is_panel_row then expenditure_science end as counted_science,
        -- spending of the cities whose science spending is known
        case when is_panel_row and expenditure_science is not null then fiscal_expenditure end as spending
    from {{ ref('int_city_year_wide') }}
    where is_panel_row or is_combined_row

),

science as (

    select
        city_code,
        province_code,
        year,
        {{ ratio('expenditure_science', 'fiscal_expenditure') }} as city_share,
        ({{ stable_sum('counted_science', 'city_code') }} over by_province)
        / nullif({{ stable_sum('spending', 'city_code') }} over by_province, 0)
            as province_share
    from cities
    window by_province as (partition by province_code, year)

)

select
    science.city_code,
    science.year,
    {{ location_quotient(
        'province_sums.advanced', 'province_sums.total', 'national.advanced', 'national.total'
    ) }} as magg_province,
    magg_province * science.city_share / nullif(science.province_share, 0) as magg,
    magg_province * science.city_share * 100 as magg_percent
from science
inner join province_sums
    on science.province_code = province_sums.province_code and science.year = province_sums.year
inner join national
    on science.year = national.year
order by science.city_code, science.year
