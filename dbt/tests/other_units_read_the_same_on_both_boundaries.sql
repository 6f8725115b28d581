-- A city that takes part in no combination has the same row in both readings, and each absorbed unit is
-- only in the one as reported.
{% set extra = ['member_codes', 'boundary_break', 'boundary_segment'] %}
with reported as (

    select * from {{ ref('city_year') }}
    where city_code not in (select member_code from {{ ref('int_combined_units') }})

),

consistent as (

    select * exclude ({{ extra | join(', ') }}) from {{ ref('city_year_consistent') }}
    where not contains(member_codes, ',')

)

(select city_code, year, 'only as reported' as problem from (select * from reported except select * from consistent))
union all
(select city_code, year, 'only consistent' as problem from (select * from consistent except select * from reported))
union all
(
    select city_code, year, 'absorbed unit has rows' as problem from {{ ref('city_year_consistent') }}
    where city_code in (select member_code from {{ ref('int_combined_units') }} where not is_survivor)
)
