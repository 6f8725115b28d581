-- Units that are combined in the reading with consistent boundaries, one row per member: a unit that was
-- taken whole into another is added to it for the years up to the one before the merger. Changes that
-- move only a part (additive = 0) combine nothing: see int_boundary_breaks. The combined unit carries
-- the code of the surviving unit with a plus sign, so that no join can take one for the other.
with absorbed as (

    select
        changes.consistent_code as survivor_code,
        changes.city_code as member_code,
        cast(changes.data_year as integer) - 1 as counted_to
    from {{ ref('city_boundary_changes') }} as changes
    inner join {{ ref('stg_cities') }} as members
        on changes.city_code = members.city_code
    where
        changes.additive = '1'
        and changes.consistent_code is not null
        and changes.city_code <> changes.consistent_code

)

select
    absorbed.survivor_code || '+' as combined_code,
    absorbed.survivor_code,
    absorbed.member_code,
    absorbed.counted_to,
    false as is_survivor
from absorbed
union all
select distinct
    absorbed.survivor_code || '+' as combined_code,
    absorbed.survivor_code,
    absorbed.survivor_code as member_code,
    9999 as counted_to,
    true as is_survivor
from absorbed
inner join {{ ref('stg_cities') }} as cities
    on absorbed.survivor_code = cities.city_code
order by combined_code, member_code
