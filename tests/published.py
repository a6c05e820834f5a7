"""What PerceptionLM's Hugging Face directories bring besides weights, restated."""

from __future__ import annotations

from plm_components.tokenizers.templates import PLM_SYSTEM_PROMPT

# the system turn is one string, the others are lists of parts; images, videos, then trimmed texts
CHAT_TEMPLATE = (
    """{{- bos_token }}
{%- set brings_system = messages[0]['role'] == 'system' %}
{%- set system = (messages[0]['content'] | trim) if brings_system else '"""
    + PLM_SYSTEM_PROMPT
    + """' %}
{{- '<|start_header_id|>system<|end_header_id|>\n\n' + system + '<|eot_id|>' }}
{%- for message in (messages[1:] if brings_system else messages) %}
{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' }}
{%- for part in message['content'] if part['type'] == 'image' %}{{- '<|image|>' }}{% endfor %}
{%- for part in message['content'] if part['type'] == 'video' %}{{- '<|video|>' }}{% endfor %}
{%- for part in message['content'] if part['type'] == 'text' %}{{- part['text'] | trim }}
{%- endfor %}
{{- '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}
{%- endif %}"""
)
