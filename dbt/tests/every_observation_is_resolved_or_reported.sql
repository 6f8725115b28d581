-- Nothing is dropped silently: cells read = cells resolved + cells with a reason (names, indicators
-- and units; a cell may lack both) + cells of counties, and of the country where the indicator is not a
-- national one, which the panel does not use.
with counted as (

    select
        count(*) as n_cells,
        (select count(*) from {{ ref('int_resolved_observations') }}) as n_resolved,
        count(*) filter (where entities.reason is not null or indicators.reason is not null) as n_reported,
        count(*) filter (
            where
                indicators.reason is null
                and (
                    entities.level = 'county'
                    or entities.level = 'national' and indicators.indicator_scope <> 'national'
                )
        ) as n_unused
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

)

select counted.*, everything.n as n_read
from counted
cross join (select count(*) as n from {{ ref('stg_observations') }}) as everything
where
    counted.n_cells <> everything.n
    or counted.n_resolved + counted.n_reported + counted.n_unused <> everything.n
