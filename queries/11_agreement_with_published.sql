-- Question: study by study, how many coefficients could be compared with the published ones, how many
-- share the sign, and how many have the published value inside the 95% interval?
select
    study,
    count(*) as terms,
    count(*) filter (where status = 'ok') as estimated,
    count(*) filter (where status = 'data_missing') as without_data,
    count(*) filter (where status not in ('ok', 'data_missing')) as failed_or_not_run,
    count(*) filter (where status = 'ok' and published_estimate is not null) as compared,
    count(*) filter (where status = 'ok' and estimate * published_estimate > 0) as same_sign,
    count(*) filter (where status = 'ok' and published_estimate between ci_low and ci_high)
        as published_in_interval
from estimates
group by study
order by study;
