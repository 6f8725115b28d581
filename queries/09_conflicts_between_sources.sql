-- Question: how often do other sources disagree with the cell that the panel takes, and where most?
-- Variables on which sources agree show zero. Every single case: select * from conflicts.
with taken as (

    select
        column_name as indicator,
        source,
        count(distinct concat_ws(' ', city_code, data_year, scope, item)) as values_taken
    from provenance
    group by column_name, source

),

disagreeing as (

    select
        indicator,
        source,
        other_source,
        count(*) as conflicts,
        max_by(city_name || ' ' || year, greatest(ratio, 1 / ratio)) as worst_case,
        max(greatest(ratio, 1 / ratio)) as worst_ratio,
        max_by(file || ' ' || sheet || ' ' || cell, greatest(ratio, 1 / ratio)) as worst_cell,
        max_by(other_file || ' ' || other_sheet || ' ' || other_cell, greatest(ratio, 1 / ratio))
            as other_cell
    from conflicts
    group by indicator, source, other_source

)

select
    taken.indicator,
    taken.source as source_taken,
    disagreeing.other_source,
    taken.values_taken,
    coalesce(disagreeing.conflicts, 0) as conflicts,
    disagreeing.worst_case,
    round(disagreeing.worst_ratio, 3) as worst_ratio,
    disagreeing.worst_cell,
    disagreeing.other_cell
from taken
left join disagreeing
    on taken.indicator = disagreeing.indicator and taken.source = disagreeing.source
order by conflicts desc, taken.indicator asc, source_taken asc, disagreeing.other_source asc;
