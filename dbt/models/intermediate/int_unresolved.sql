-- What could not be resolved, one row per printed name, indicator or unit and reason, with the
-- number of cells behind it and one of them as an example. Cells of county tables are not counted:
-- the panel is of prefecture units and reads counties on purpose nowhere.
with observations as (

    select * from {{ ref('stg_observations') }}

),

entities as (

    select
        'entity' as kind,
        observations.source,
        entities.reason,
        observations.entity_printed as printed,
        observations.province_printed as context,
        count(*) as n_cells,
        min(observations.data_year) as first_year,
        max(observations.data_year) as last_year,
        min(observations.file || ' | ' || observations.sheet || ' | ' || observations.cell) as example_cell
    from observations
    inner join {{ ref('int_entity_resolution') }} as entities
        on
            observations.entity_printed = entities.entity_printed
            and observations.entity_code = entities.entity_code
            and observations.province_printed = entities.province_printed
            and observations.section = entities.section
            and observations.data_year = entities.data_year
    where entities.reason is not null
    group by all

),

indicators as (

    select
        case when indicators.reason like 'unit%' then 'unit' else 'indicator' end as kind,
        observations.source,
        indicators.reason,
        case
            when indicators.reason like 'unit%' then observations.unit_key
            else observations.indicator_key
        end as printed,
        case
            when indicators.reason like 'unit%' then observations.indicator_key
            else observations.unit_key
        end as context,
        count(*) as n_cells,
        min(observations.data_year) as first_year,
        max(observations.data_year) as last_year,
        min(observations.file || ' | ' || observations.sheet || ' | ' || observations.cell) as example_cell
    from observations
    inner join {{ ref('int_indicator_resolution') }} as indicators
        on
            observations.source = indicators.source
            and observations.indicator_key = indicators.indicator_key
            and observations.unit_key = indicators.unit_key
            and observations.scope = indicators.scope
            and observations.data_year = indicators.data_year
    where indicators.reason is not null and observations.section <> 'county'
    group by all

)

select * from entities
union all
select * from indicators
order by kind, source, reason, printed, context
