{{ config(tags=['base']) }}
-- Where every value of the panel's canonical columns was printed. An observed value has one row; a
-- filled one has two, the observed years it was interpolated between. Derived columns: see lineage.
with filled as (

    select
        unit_code,
        indicator,
        scope,
        item,
        year,
        is_filled,
        from_year as data_year
    from {{ ref('int_filled') }}
    union all
    select
        unit_code,
        indicator,
        scope,
        item,
        year,
        is_filled,
        to_year as data_year
    from {{ ref('int_filled') }}
    where is_filled = 1

)

select
    filled.unit_code as city_code,
    filled.year,
    filled.indicator as column_name,
    filled.scope,
    filled.item,
    filled.is_filled,
    filled.data_year,
    preferred.value,
    preferred.unit,
    preferred.value_printed,
    preferred.unit_printed,
    preferred.conversion_factor,
    preferred.source,
    preferred.release,
    preferred.entity_printed,
    preferred.indicator_printed,
    preferred.note,
    preferred.file,
    preferred.file_sha256,
    preferred.sheet,
    preferred.cell
from filled
inner join {{ ref('int_preferred') }} as preferred
    on
        filled.unit_code = preferred.unit_code
        and filled.indicator = preferred.indicator
        and filled.scope = preferred.scope
        and filled.item = preferred.item
        and filled.data_year = preferred.data_year
order by city_code, filled.year, column_name, filled.scope, filled.item, filled.data_year
