"""Conversation layouts as Jinja, for transformers: media first in a turn, text trimmed.

Unlike our own layouts they cannot put an image between words: transformers' files never could.
"""

from __future__ import annotations

_CONTENT = """\
    {%- if message['content'] is string %}
        {{- message['content'] | trim }}
    {%- else %}
        {%- for part in message['content'] if part['type'] == 'image' %}
            {{- IMAGE }}
        {%- endfor %}
        {%- for part in message['content'] if part['type'] == 'video' %}
            {{- VIDEO }}
        {%- endfor %}
        {%- for part in message['content'] if part['type'] == 'text' %}
            {{- part['text'] | trim }}
        {%- endfor %}
    {%- endif %}
"""


def jinja_template(layout: str, *, system_prompt: str, image: str, video: str) -> str | None:
    """A chat template of a layout; None for one that transformers cannot use.

    Args:
        layout: ``plm_sft``, or another that a tokenizer's ``template`` names.
        system_prompt: Said when a conversation brings no system turn; empty for none.
        image: The token that stands where an image does.
        video: The same for a video.
    """
    ends = _ENDS.get(layout)
    if ends is None:
        return None
    begin, header, after_role, after_turn = ends
    system = ""
    if system_prompt:
        said = f"{header}system{after_role}{system_prompt}{after_turn}"
        system = f"{{%- if messages[0]['role'] != 'system' %}}{{{{- {said!r} }}}}{{%- endif %}}\n"
    content = _CONTENT.replace("IMAGE", repr(image)).replace("VIDEO", repr(video))
    return (
        (f"{{{{- {begin!r} }}}}\n" if begin else "")
        + system
        + "{%- for message in messages %}\n"
        + f"    {{{{- {header!r} + message['role'] + {after_role!r} }}}}\n"
        + content
        + f"    {{{{- {after_turn!r} }}}}\n"
        + "{%- endfor %}\n"
        + "{%- if add_generation_prompt %}\n"
        + f"    {{{{- {f'{header}assistant{after_role}'!r} }}}}\n"
        + "{%- endif %}\n"
    )


# beginning of all, before a role, behind it, behind a turn
_ENDS = {
    "plm_sft": ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>\n\n", "<|eot_id|>"),
    "chatml": ("", "<|im_start|>", "\n", "<|im_end|>\n"),
}
