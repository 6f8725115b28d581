-- Question: which estimates differ in sign from the published ones, and are both significant at 5%?
select
    study,
    exhibit,
    column_id,
    term,
    estimate,
    published_estimate,
    p_value,
    published_stars,
    p_value < 0.05 and published_stars >= 2 as both_significant,
    n_obs,
    published_n_obs
from estimates
where status = 'ok' and sign(estimate) * sign(published_estimate) < 0
order by both_significant desc nulls last, study asc, exhibit asc, column_id asc, term asc;
