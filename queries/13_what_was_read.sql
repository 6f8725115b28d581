-- Question: what became of every source: files, printed values, values refused, values in the panel?
-- Refused cells with reason and advice: select * from rejects. Names not resolved: from unresolved.
select
    source,
    count(distinct file) as files,
    min(data_year) as first_year,
    max(coalesce(data_year_last, data_year)) as last_year,
    count(*) filter (where status = 'read') as tables_read,
    count(*) filter (where status <> 'read') as tables_not_used,
    cast(sum(n_observations) as bigint) as printed_values,
    cast(sum(n_rejects) as bigint) as refused,
    cast(sum(n_resolved) as bigint) as resolved_to_city_and_variable,
    cast(sum(n_preferred) as bigint) as taken_by_the_panel
from sources
group by source
order by source;
