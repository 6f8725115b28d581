-- One row per distinct printed indicator, unit, scope and year of a source: the canonical indicator
-- and the factor that brings the value to its unit, or the reason why there is none. A spelling
-- without a unit means a file that prints none: its magnitude is known and stated in the registry. The
-- code of an indicator is a spelling of it in every source: mapping files name it.
with printed as (

    select distinct
        source,
        indicator_key,
        unit_key,
        scope,
        data_year
    from {{ ref('stg_observations') }}

),

spellings as (

    select
        coalesce(source, '') as source,
        indicator_key,
        coalesce(unit_key, '') as unit_key,
        coalesce(scope, '') as scope,
        indicator,
        coalesce(try_cast(valid_from as integer), 0) as valid_from,
        coalesce(try_cast(valid_to as integer), 9999) as valid_to
    from {{ ref('indicator_spellings') }}
    union all
    select
        '' as source,
        indicator as indicator_key,
        unit as unit_key,
        '' as scope,
        indicator,
        0 as valid_from,
        9999 as valid_to
    from {{ ref('indicators') }}

),

-- A spelling that names the source or the scope is more specific than one that leaves it open; one
-- with another unit only says that the indicator is known.
matched as (

    select
        printed.*,
        spellings.indicator,
        coalesce(spellings.unit_key = printed.unit_key, false) as has_unit
    from printed
    left join spellings
        on
            printed.indicator_key = spellings.indicator_key
            and spellings.source in ('', printed.source)
            and spellings.scope in ('', printed.scope)
            and printed.data_year between spellings.valid_from and spellings.valid_to
    qualify row_number() over (
        partition by
            printed.source, printed.indicator_key, printed.unit_key, printed.scope, printed.data_year
        order by
            has_unit desc, spellings.source desc, spellings.scope desc, spellings.indicator asc
    ) = 1

)

select
    matched.source,
    matched.indicator_key,
    matched.unit_key,
    matched.scope,
    matched.data_year,
    matched.indicator,
    indicators.unit as canonical_unit,
    indicators.scope as indicator_scope,
    case
        when matched.unit_key = '' and matched.has_unit then 1.0
        when matched.unit_key = indicators.unit then 1.0
        else cast(conversions.factor as double)
    end as conversion,
    case
        when matched.indicator is null then 'indicator_not_registered'
        when indicators.indicator is null then 'indicator_without_definition'
        when conversion is null and matched.unit_key = '' then 'unit_missing'
        when conversion is null then 'unit_without_conversion'
    end as reason
from matched
left join {{ ref('indicators') }} as indicators
    on matched.indicator = indicators.indicator
left join {{ ref('unit_conversions') }} as conversions
    on matched.unit_key = conversions.unit_from and indicators.unit = conversions.unit_to
