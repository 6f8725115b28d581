-- Adoption year of each city under each programme and reading: the earliest listing that flags it.
-- The dual pilot needs both single flags, so its year is the later of the two.
with single as (

    select
        city_code,
        programme,
        reading,
        adoption_year,
        listed_level,
        batch,
        announced,
        confidence,
        note
    from {{ ref('int_pilot_units') }}
    where flags_city = 1 and adoption_year is not null
    qualify row_number() over (
        partition by city_code, programme, reading
        order by adoption_year, batch, listed_unit
    ) = 1

),

dual as (

    select
        smart.city_code,
        'dual' as programme,
        low.reading || '_' || smart.reading as reading,
        greatest(smart.adoption_year, low.adoption_year) as adoption_year,
        smart.listed_level,
        smart.batch || '+' || low.batch as batch,
        case when smart.adoption_year >= low.adoption_year then smart.announced else low.announced end
            as announced,
        -- The weaker of the two confidences.
        case
            when 'uncertain' in (smart.confidence, low.confidence) then 'uncertain'
            when 'from-memory' in (smart.confidence, low.confidence) then 'from-memory'
            else 'verified'
        end as confidence,
        'smart city ' || smart.adoption_year || ', low carbon ' || low.adoption_year as note
    from single as smart
    inner join single as low
        on smart.city_code = low.city_code
    where smart.programme = 'smart_city' and low.programme = 'low_carbon'

)

select * from single
union all
select * from dual
order by programme, reading, city_code
