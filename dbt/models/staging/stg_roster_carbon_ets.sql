-- Carbon-emission trading pilots: every city of a pilot market, with the opening day of its market.
select
    city_code,
    'prefecture' as listed_level,
    market as listed_unit,
    cast(batch = 'pilot7' as integer) as in_pilot7,
    trading_start,
    cast(year_effective as integer) as year_trading,
    cast(left(announced, 4) as integer) as year_announced,
    batch,
    announced,
    confidence,
    coalesce(note, '') as note
from {{ corrected_roster(ref('roster_carbon_ets')) }}
