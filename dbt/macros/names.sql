{# Normal form of a printed city or province name: no blanks, no footnote marks, no punctuation at
   the ends. The crosswalk's name_key is written in the same form (the readers' normalise_name). #}
{% macro name_key(column) -%}
regexp_replace(
    regexp_replace(
        coalesce({{ column }}, ''),
        '[\s\x{{ "{" }}3000}\x{{ "{" }}00a0}\x{{ "{" }}200b}\x{{ "{" }}feff}①-⑳*＊†‡§¹²³⁰-⁹]+', '', 'g'
    ),
    '^[:;,.、。·：；，]+|[:;,.、。·：；，]+$', '', 'g'
)
{%- endmacro %}

{# Province name without its suffix, so that 内蒙古自治区 and 内蒙古 agree, 广西壮族自治区 and 广西. #}
{% macro province_key(column) -%}
regexp_replace(
    {{ name_key(column) }},
    '(壮族自治区|回族自治区|维吾尔自治区|自治区|省|市)$', ''
)
{%- endmacro %}
