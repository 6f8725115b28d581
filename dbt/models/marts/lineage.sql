{{ config(tags=['base']) }}
-- Which canonical columns enter a column of a published table, as its description declares them.
{{ declared_columns('lineage') }}
