-- Question: what did the release rules find, how often, what is the likely cause, and where does the
-- most extreme case stand? Every finding with its expected range: select * from findings.
select
    rule,
    severity,
    indicator,
    likely_cause,
    count(*) as n_findings,
    min(year) as first_year,
    max(year) as last_year,
    max_by(concat_ws(' ', city_name, year), abs(coalesce(checked, 0))) as most_extreme,
    max_by(value, abs(coalesce(checked, 0))) as its_value,
    max_by(expected, abs(coalesce(checked, 0))) as expected,
    max_by(source_cell, abs(coalesce(checked, 0))) as source_cell
from findings
group by rule, severity, indicator, likely_cause
order by severity asc, n_findings desc, rule asc, indicator asc, likely_cause asc;
