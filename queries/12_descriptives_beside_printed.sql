-- Question: in which variables do the samples differ most from the descriptive statistics that the
-- papers print? `mean_gap_in_sd` is the difference of means in printed standard deviations.
select
    study,
    symbol,
    column_name,
    n,
    n_printed,
    mean,
    mean_printed,
    sd,
    sd_printed,
    min,
    min_printed,
    max,
    max_printed,
    mean_gap_in_sd,
    note
from descriptives
where mean_printed is not null
order by abs(mean_gap_in_sd) desc nulls last, study asc, column_name asc;
