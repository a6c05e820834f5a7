"""What PerceptionLM's Hugging Face directories bring besides weights, restated and small."""

from __future__ import annotations

import json
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from plm_components.tokenizers.templates import PLM_SYSTEM_PROMPT

SPECIALS = [
    "<|begin_of_text|>", "<|end_of_text|>", "<|image|>", "<|video|>", "<|start_header_id|>",
    "<|end_header_id|>", "<|eot_id|>",
]  # fmt: skip

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


def write_byte_tokenizer(directory: Path) -> Path:
    """A fast tokenizer of 256 bytes, one merge and PerceptionLM's special tokens; its directory."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {letter: number for number, letter in enumerate(letters)} | {"ĊĊ": len(letters)}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[("Ċ", "Ċ")]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(one, normalized=False) for one in SPECIALS])
    tokenizer.save(str(directory / "tokenizer.json"))
    config = {"eos_token": "<|eot_id|>", "pad_token": "<|end_of_text|>"}
    (directory / "tokenizer_config.json").write_text(json.dumps(config))
    return directory
