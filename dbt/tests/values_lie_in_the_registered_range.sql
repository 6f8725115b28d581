-- Values of the panel outside the range that the registry calls plausible. A warning: whether such a
-- value stops a release is decided by the gates, which name its cell and likely cause.
{{ config(severity='warn') }}
select
    preferred.unit_code,
    preferred.data_year,
    preferred.indicator,
    preferred.scope,
    preferred.value,
    preferred.unit,
    preferred.file,
    preferred.sheet,
    preferred.cell,
    indicators.min,
    indicators.max
from {{ ref('int_preferred') }} as preferred
inner join {{ ref('indicators') }} as indicators
    on preferred.indicator = indicators.indicator
where
    preferred.value < try_cast(indicators.min as double)
    or preferred.value > try_cast(indicators.max as double)
