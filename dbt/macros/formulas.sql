{# Arithmetic used by many variables. Money ratios: numerator in 万元, gross regional product in 亿元. #}

{% macro ratio(numerator, denominator) -%}
({{ numerator }}) / nullif({{ denominator }}, 0)
{%- endmacro %}

{% macro share_of_grp(amount_wan_yuan, grp='grp') -%}
({{ amount_wan_yuan }}) / nullif({{ grp }} * 10000, 0)
{%- endmacro %}

{# Natural and decimal logarithm of a positive number; null otherwise, never an error. #}
{% macro ln_pos(x) -%}
case when ({{ x }}) > 0 then ln({{ x }}) end
{%- endmacro %}

{% macro log10_pos(x) -%}
case when ({{ x }}) > 0 then log10({{ x }}) end
{%- endmacro %}

{# Location quotient: share of an industry in local employment over its share in all of them. #}
{% macro location_quotient(local_industry, local_total, all_industry, all_total) -%}
(({{ local_industry }}) / nullif({{ local_total }}, 0))
/ nullif(({{ all_industry }}) / nullif({{ all_total }}, 0), 0)
{%- endmacro %}

{# 1 from the adoption year on, 0 before and for never-treated units: absorbing by construction. #}
{% macro absorbing_flag(adoption_year, year='year') -%}
cast(coalesce({{ year }} >= {{ adoption_year }}, false) as integer)
{%- endmacro %}

{# A sum whose last bits do not depend on the order in which threads deliver the rows. #}
{% macro stable_sum(x, order_by) -%}
sum({{ x }} order by {{ order_by }})
{%- endmacro %}
