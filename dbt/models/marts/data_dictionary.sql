{{ config(tags=['outcomes']) }}
-- Every column of the published tables. Texts come from the descriptions of the models themselves,
-- coverage from the tables, so that neither can drift from what is published.
{% set tables = ['city_year', 'sample_a', 'sample_b', 'sample_c', 'sample_d', 'sample_real_carbon'] %}
with declared as (

    {{ declared_columns('dictionary') }}

),

-- one row per city, year and canonical column that was interpolated
filled as (

    select
        city_code,
        year,
        replace(column_name, '_filled', '') as input_column
    from (
        unpivot {{ ref('city_year_flags') }}
        on columns(* exclude (city_code, year))
        into name column_name value is_filled
    )
    where is_filled = 1

),

coverage as (

    {% for table in tables %}
        select
            '{{ table }}' as table_name,
            values_.column_name,
            values_.city_code,
            values_.year
        from (
            unpivot (
                select
                    city_code,
                    year,
                    cast(columns(* exclude (city_code, year)) as varchar)
                from {{ ref(table) }}
            )
            on columns(* exclude (city_code, year))
            into name column_name value printed
        ) as values_
        union all
        select
            '{{ table }}' as table_name,
            unnest(['city_code', 'year']) as column_name,
            city_code,
            year
        from {{ ref(table) }}
        {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

touched as (

    select distinct
        coverage.table_name,
        coverage.column_name,
        coverage.city_code,
        coverage.year
    from coverage
    inner join {{ ref('lineage') }} as lineage
        on coverage.table_name = lineage.table_name and coverage.column_name = lineage.column_name
    inner join filled
        on
            coverage.city_code = filled.city_code
            and coverage.year = filled.year
            and lineage.input_column = filled.input_column

),

touched_by_city as (

    select
        table_name,
        column_name,
        city_code,
        count(*) as n
    from touched
    group by table_name, column_name, city_code

),

fills as (

    select
        table_name,
        column_name,
        sum(n) as n_filled,
        max(n) as max_filled_in_a_city
    from touched_by_city
    group by table_name, column_name

),

counts as (

    select
        table_name,
        column_name,
        count(*) as n_values,
        min(year) as first_year,
        max(year) as last_year
    from coverage
    group by table_name, column_name

),

sizes as (

    {% for table in tables %}
        select
            '{{ table }}' as table_name,
            count(*) as n_rows
        from {{ ref(table) }}
        {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

origins as (

    select
        lineage.table_name,
        lineage.column_name,
        string_agg(distinct preferred.source, ', ' order by preferred.source) as sources
    from {{ ref('lineage') }} as lineage
    inner join (
        select distinct
            indicator,
            source
        from {{ ref('int_preferred') }}
    ) as preferred
        on lineage.input_column = preferred.indicator
    group by lineage.table_name, lineage.column_name

)

select
    declared.table_name,
    declared.column_name,
    declared.label_zh,
    declared.unit,
    declared.definition,
    declared.study,
    declared.inputs,
    origins.sources,
    declared.data_type,
    sizes.n_rows,
    case
        when sizes.n_rows is not null
            then cast(coalesce(counts.n_values, 0) - coalesce(fills.n_filled, 0) as bigint)
    end as n_observed,
    case when sizes.n_rows is not null then coalesce(cast(fills.n_filled as bigint), 0) end as n_filled,
    case when sizes.n_rows > 0 then 1 - coalesce(counts.n_values, 0) / sizes.n_rows end as share_missing,
    counts.first_year,
    counts.last_year,
    case when sizes.n_rows is not null then coalesce(fills.max_filled_in_a_city, 0) end
        as max_filled_in_a_city
from declared
left join sizes
    on declared.table_name = sizes.table_name
left join counts
    on declared.table_name = counts.table_name and declared.column_name = counts.column_name
left join fills
    on declared.table_name = fills.table_name and declared.column_name = fills.column_name
left join origins
    on declared.table_name = origins.table_name and declared.column_name = origins.column_name
order by declared.table_name, declared.position
