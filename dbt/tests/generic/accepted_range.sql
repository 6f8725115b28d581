{# Values lie between the bounds (either may be left out), and are whole numbers if that is asked. #}
{% test accepted_range(model, column_name, min_value=none, max_value=none, whole_numbers=false) %}
select {{ column_name }}
from {{ model }}
where
    {{ column_name }} is not null
    and not (
        true
        {%- if min_value is not none %}
        and {{ column_name }} >= {{ min_value }}
        {%- endif %}
        {%- if max_value is not none %}
        and {{ column_name }} <= {{ max_value }}
        {%- endif %}
        {%- if whole_numbers %}
        and {{ column_name }} = floor({{ column_name }})
        {%- endif %}
    )
{% endtest %}
