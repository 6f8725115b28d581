-- Where every member of a combined unit is observed, its additive columns are the members' sums, computed
-- here from the preferred values themselves. Values for the territory of today are not sums.
{% set summed = ['pop_resident', 'pop_registered', 'land_area', 'grp', 'value_added_primary',
    'value_added_secondary', 'value_added_tertiary', 'fiscal_revenue', 'fiscal_expenditure', 'loans',
    'deposits', 'fdi_actual', 'retail_sales', 'employees_total_unit', 'employees_manufacturing',
    'investment_fixed', 'patents_applied', 'co2_edgar', 'co2_ceads', 'electricity_total'] %}
with members as (

    select
        units.survivor_code,
        preferred.data_year,
        preferred.indicator,
        sum(preferred.value order by units.member_code) as total,
        count(*) as n_observed,
        bool_or(coalesce(specific.territory, general.territory, '') = 'today') as covers_more
    from {{ ref('int_preferred') }} as preferred
    inner join {{ ref('int_combined_units') }} as units
        on preferred.unit_code = units.member_code and preferred.data_year <= units.counted_to
    left join {{ ref('source_preference') }} as specific
        on preferred.source = specific.source and preferred.indicator = specific.indicator
    left join {{ ref('source_preference') }} as general
        on preferred.source = general.source and general.indicator is null
    where preferred.level = 'city' and preferred.scope = 'city' and preferred.item = ''
    group by units.survivor_code, preferred.data_year, preferred.indicator

),

needed as (

    select units.survivor_code, years.data_year, count(*) as n_members
    from {{ ref('int_combined_units') }} as units
    inner join (select distinct data_year from members) as years
        on years.data_year <= units.counted_to
    group by units.survivor_code, years.data_year

),

published as (

    unpivot (
        select city_code, year, {{ summed | join(', ') }} from {{ ref('city_year_consistent') }}
        where contains(member_codes, ',')
    )
    on columns(* exclude (city_code, year))
    into name column_name value value

)

select members.*, published.value
from members
inner join needed
    on members.survivor_code = needed.survivor_code and members.data_year = needed.data_year
left join published
    on
        members.survivor_code = published.city_code
        and members.data_year = published.year
        and members.indicator = published.column_name
where
    members.n_observed = needed.n_members
    and not members.covers_more
    and members.indicator in ('{{ summed | join("', '") }}')
    and members.data_year >= {{ var('first_year') }}
    and members.data_year <= (select max(year) from {{ ref('city_year_consistent') }})
    and (published.value is null or abs(published.value - members.total) > 1e-9 * abs(members.total))
