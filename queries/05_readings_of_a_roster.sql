-- Question: which reading of a roster reproduces the treated share that a study prints?
select
    study,
    programme,
    reading,
    n_cities,
    n_treated,
    round(share_treated, 4) as share_treated,
    share_printed,
    round(share_treated - share_printed, 4) as gap,
    cities_printed
from treated_shares
order by study, programme, abs(share_treated - share_printed) nulls last, reading;
