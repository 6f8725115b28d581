-- Question: how much of each variable is interpolated, how much is missing, and which city leans on
-- interpolation most?
select
    column_name,
    label_zh,
    unit,
    first_year,
    last_year,
    n_observed,
    n_filled,
    round(n_filled / nullif(n_observed + n_filled, 0), 4) as share_interpolated,
    round(share_missing, 4) as share_missing,
    max_filled_in_a_city
from data_dictionary
where table_name = 'city_year' and n_observed > 0 and inputs <> ''
order by share_interpolated desc, column_name asc;
