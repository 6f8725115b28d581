-- Question: which columns have to do with a word, and what do they mean (unit, definition, study)?
-- Searches Chinese terms and English definitions; change both patterns.
select
    table_name,
    column_name,
    label_zh,
    unit,
    definition,
    study,
    inputs
from data_dictionary
where label_zh like '%教育%' or definition ilike '%education%'
order by table_name, column_name;
