{{ config(materialized='view') }}
-- Observations whose city (or province, or the country), indicator and unit are known, in the canonical
-- unit. Totals that a table of cities prints for the country are not used.
select
    entities.level,
    entities.unit_code,
    observations.data_year,
    indicators.indicator,
    case
        when observations.scope = 'districts' then 'districts'
        else 'city'
    end as scope,
    -- Industries of a province table are items of one indicator; everything else has none.
    case
        when
            indicators.indicator = 'employment_industry_province'
            then {{ name_key('observations.indicator_printed') }}
        else ''
    end as item,
    observations.value * indicators.conversion as value,
    indicators.canonical_unit as unit,
    indicators.conversion as conversion_factor,
    observations.value_printed,
    observations.unit_printed,
    observations.source,
    observations.release,
    observations.entity_printed,
    observations.indicator_printed,
    observations.note,
    observations.file,
    observations.file_sha256,
    observations.sheet,
    observations.row_no,
    observations.col_no,
    observations.cell
from {{ ref('stg_observations') }} as observations
inner join {{ ref('int_entity_resolution') }} as entities
    on
        observations.entity_printed = entities.entity_printed
        and observations.entity_code = entities.entity_code
        and observations.province_printed = entities.province_printed
        and observations.section = entities.section
        and observations.data_year = entities.data_year
inner join {{ ref('int_indicator_resolution') }} as indicators
    on
        observations.source = indicators.source
        and observations.indicator_key = indicators.indicator_key
        and observations.unit_key = indicators.unit_key
        and observations.scope = indicators.scope
        and observations.data_year = indicators.data_year
where
    entities.unit_code is not null
    and indicators.reason is null
    and (entities.level <> 'national' or indicators.indicator_scope = 'national')
