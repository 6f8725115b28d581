-- Question: what does it change to read merged cities on one boundary, and where can no sum mend a break?
-- Behind every combined value: from boundary_members. All changes: from boundary_changes.
with pairs as (

    select
        consistent.city_code,
        consistent.city_name,
        consistent.year,
        consistent.member_codes,
        consistent.boundary_break,
        reported.grp as grp_as_reported,
        consistent.grp as grp_consistent,
        reported.loans_share as loans_share_as_reported,
        consistent.loans_share as loans_share_consistent,
        lag(reported.grp) over by_city as grp_before,
        lag(consistent.grp) over by_city as grp_consistent_before
    from city_year_consistent as consistent
    inner join city_year as reported
        on consistent.city_code = reported.city_code and consistent.year = reported.year
    window by_city as (partition by consistent.city_code order by consistent.year)

)

select
    city_name,
    year,
    case
        when contains(member_codes, ',') then 'combined: ' || member_codes
        else 'break in ' || boundary_break
    end as reading,
    round(grp_as_reported, 2) as grp_as_reported,
    round(grp_consistent, 2) as grp_consistent,
    round(100 * (grp_as_reported / grp_before - 1), 1) as growth_as_reported,
    round(100 * (grp_consistent / grp_consistent_before - 1), 1) as growth_consistent,
    round(loans_share_as_reported, 3) as loans_share_as_reported,
    round(loans_share_consistent, 3) as loans_share_consistent
from pairs
where contains(member_codes, ',') or year between boundary_break - 1 and boundary_break + 1
order by boundary_break nulls first, city_code, year;
