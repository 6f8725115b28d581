{{ config(tags=['outcomes']) }}
-- Each study variable's statistics beside the printed ones.
{% set samples = ['sample_a', 'sample_b', 'sample_c', 'sample_d', 'sample_real_carbon'] %}
{% set text_columns = [
    'city_code', 'city_name', 'province_code', 'year', 'econ_region4', 'ns_group', 'hu_group', 'dual_band',
] %}
with long as (

    {% for sample in samples %}
        select
            '{{ sample }}' as sample,
            unpivoted.column_name,
            unpivoted.city_code,
            unpivoted.year,
            unpivoted.value
        from (
            unpivot (
                select
                    city_code,
                    year,
                    cast(columns(lambda c: not list_contains({{ text_columns }}, c)) as double)
                from {{ ref(sample) }}
            )
            on columns(* exclude (city_code, year))
            into name column_name value value
        ) as unpivoted
        {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

-- Ordered sums in two passes, so that the last digits never depend on the order of rows.
means as (

    select
        sample,
        column_name,
        count(*) as n,
        sum(value order by city_code, year) / count(*) as mean,
        min(value) as min,
        max(value) as max
    from long
    group by sample, column_name

),

spread as (

    select
        long.sample,
        long.column_name,
        sqrt(
            sum(power(long.value - means.mean, 2) order by long.city_code, long.year)
            / nullif(count(*) - 1, 0)
        ) as sd
    from long
    inner join means
        on long.sample = means.sample and long.column_name = means.column_name
    group by long.sample, long.column_name

),

printed as (

    select
        study,
        symbol,
        sample,
        column_name,
        cast(n as integer) as n,
        cast(mean as double) as mean,
        cast(sd as double) as sd,
        cast(min as double) as min,
        cast(max as double) as max,
        coalesce(note, '') as note
    from {{ ref('published_descriptives') }}

)

select
    coalesce(
        printed.study,
        case means.sample
            when 'sample_a' then 'A' when 'sample_b' then 'B' when 'sample_c' then 'C' when
                'sample_d'
                then 'D'
            else 'real_carbon'
        end
    ) as study,
    coalesce(printed.sample, means.sample) as sample,
    coalesce(printed.column_name, means.column_name) as column_name,
    printed.symbol,
    coalesce(means.n, 0) as n,
    means.mean,
    spread.sd,
    means.min,
    means.max,
    printed.n as n_printed,
    printed.mean as mean_printed,
    printed.sd as sd_printed,
    printed.min as min_printed,
    printed.max as max_printed,
    (means.mean - printed.mean) / nullif(printed.sd, 0) as mean_gap_in_sd,
    printed.note
from printed
full outer join means
    on printed.sample = means.sample and printed.column_name = means.column_name
left join spread
    on means.sample = spread.sample and means.column_name = spread.column_name
order by
    coalesce(printed.sample, means.sample),
    printed.symbol is null,
    coalesce(printed.column_name, means.column_name)
