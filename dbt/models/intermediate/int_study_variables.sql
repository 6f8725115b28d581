-- Every derived variable of the four studies, defined once, on the full skeleton of cities and years
-- (a city founded later has rows of nulls before). Money ratios are shares unless the name says
-- percent. Samples rename these columns; they compute nothing but group maxima and trends.
with basis as (

    -- One population per city: the series, registered or resident, with more observed years, so that
    -- a ratio never jumps because the definition of population changed halfway.
    select
        city_code,
        case
            when
                count(pop_registered) filter (where pop_registered_filled = 0)
                >= count(pop_resident) filter (where pop_resident_filled = 0)
                and count(pop_registered) > 0
                then 'registered'
            when count(pop_resident) > 0 then 'resident'
        end as population_basis,
        count(pop_registered_urban) > 0 and count(pop_registered) > 0 as has_registered_urban
    from {{ ref('int_city_year_wide') }}
    group by city_code

),

wide as (

    select
        wide.*,
        basis.population_basis,
        basis.has_registered_urban,
        case basis.population_basis
            when 'registered' then wide.pop_registered
            when 'resident' then wide.pop_resident
        end as population,
        wide.land_area as area,
        rate.value as yuan_per_usd,
        rd.value as national_rd_last_year
    from {{ ref('int_city_year_wide') }} as wide
    inner join basis
        on wide.city_code = basis.city_code
    left join {{ ref('int_constants') }} as rate
        on rate.variable = 'cny_per_usd_nbs' and wide.year = rate.year
    left join {{ ref('int_constants') }} as rd
        on rd.variable = 'rd_expenditure' and wide.year = rd.year + 1

)

select
    wide.city_code,
    wide.year,
    wide.province_code,
    wide.is_panel_row,
    wide.is_combined_row,
    -- shares of product
    {{ share_of_grp('wide.expenditure_education', 'wide.grp') }} as education_share,
    {{ share_of_grp('wide.expenditure_science', 'wide.grp') }} as science_share,
    {{ share_of_grp('wide.retail_sales', 'wide.grp') }} as retail_share,
    {{ share_of_grp('wide.fiscal_expenditure', 'wide.grp') }} as fiscal_expenditure_share,
    {{ share_of_grp('wide.loans', 'wide.grp') }} as loans_share,
    {{ share_of_grp('wide.deposits + wide.loans', 'wide.grp') }} as deposits_loans_share,
    {{ share_of_grp('wide.fdi_actual * wide.yuan_per_usd', 'wide.grp') }} as fdi_share,
    wide.share_secondary / 100 as secondary_share,
    {{ ratio('wide.share_tertiary', 'wide.share_secondary') }} as tertiary_to_secondary,
    -- public finance
    {{ ratio('wide.fiscal_revenue', 'wide.fiscal_expenditure') }} as fiscal_autonomy,
    {{ ratio('wide.expenditure_science', 'wide.fiscal_expenditure') }} as science_in_spending,
    -- people and land
    wide.population,
    wide.population_basis,
    {{ ratio('wide.pop_resident * 10000', 'wide.area') }} as resident_density,
    {{ ratio('wide.population * 10000', 'wide.area') }} as population_density,
    case
        when wide.has_registered_urban then {{ ratio('wide.pop_registered_urban', 'wide.pop_registered') }}
        when wide.urbanisation_rate is not null then wide.urbanisation_rate / 100
        else {{ ratio('wide.pop_resident_urban', 'wide.pop_resident') }}
    end as urban_share,
    {{ ratio('wide.students_higher', 'wide.population * 10000') }} as students_per_capita,
    {{ ratio('wide.broadband_subscribers', 'wide.population') }} as broadband_per_capita,
    coalesce(
        {{ ratio('employment.employees_tertiary', 'employment.employees_unit') }},
        wide.employees_share_tertiary / 100
    ) as tertiary_employment_share,
    employment.employees_unit,
    wide.grp_per_capita * real_grp.grp_real_2004 / nullif(wide.grp, 0) as grp_per_capita_real,
    real_grp.grp_real_2004,
    real_grp.grp_real_rule,
    capital.capital,
    capital.capital_hall_jones,
    energy.energy,
    -- innovation
    {{ ratio('wide.patents_green', 'wide.patents_applied') }} as green_patent_share,
    {{ ratio(
        'wide.patents_green_invention',
        'case when count(wide.rd_personnel) over () > 0 then wide.rd_personnel / 1000 else wide.employees_science_tech * 10 end'
    ) }} as green_patents_per_researcher,
    -- attention in government work reports
    {{ ratio('wide.words_environment', 'wide.words_total') }} as environment_attention,
    {{ ratio('wide.words_new_quality', 'wide.words_total') }} as new_quality_attention,
    -- agglomeration
    agglomeration.dia,
    agglomeration.sagg,
    agglomeration.magg,
    agglomeration.magg_percent,
    agglomeration.coag,
    {{ ratio(
        'wide.grp * (wide.share_secondary + wide.share_tertiary) / 100', 'wide.construction_land'
    ) }} as economic_density,
    -- environment
    {{ ratio('wide.so2_industrial', 'wide.grp') }} as so2_intensity,
    carbon.carbon_gas_t,
    carbon.carbon_lpg_t,
    carbon.carbon_electricity_t,
    carbon.carbon_t,
    {{ ratio('wide.co2_ceads * 100', 'wide.grp') }} as carbon_intensity,
    {{ ratio('wide.key_enterprises', 'wide.industrial_enterprises') }} as key_enterprise_share,
    -- industrial upgrading: sum over the three sectors of share of product x labour productivity (元/人)
    (
        (wide.share_primary / 100)
        * {{ ratio('wide.grp * wide.share_primary / 100', 'employment.employees_primary') }}
        + (wide.share_secondary / 100)
        * {{ ratio('wide.grp * wide.share_secondary / 100', 'employment.employees_secondary') }}
        + (wide.share_tertiary / 100)
        * {{ ratio('wide.grp * wide.share_tertiary / 100', 'employment.employees_tertiary') }}
    ) * 10000 as industrial_upgrading,
    wide.yuan_per_usd,
    wide.national_rd_last_year
from wide
left join {{ ref('int_employment') }} as employment
    on wide.city_code = employment.city_code and wide.year = employment.year
left join {{ ref('int_real_grp') }} as real_grp
    on wide.city_code = real_grp.city_code and wide.year = real_grp.year
left join {{ ref('int_capital_stock') }} as capital
    on wide.city_code = capital.city_code and wide.year = capital.year
left join {{ ref('int_energy_allocation') }} as energy
    on wide.city_code = energy.city_code and wide.year = energy.year
left join {{ ref('int_agglomeration') }} as agglomeration
    on wide.city_code = agglomeration.city_code and wide.year = agglomeration.year
left join {{ ref('int_carbon') }} as carbon
    on wide.city_code = carbon.city_code and wide.year = carbon.year
order by wide.city_code, wide.year
