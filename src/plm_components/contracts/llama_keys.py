"""``decoder/llama`` under the names of Hugging Face's Llama: the whole of a bare Llama directory,
and the decoder of a PerceptionLM. Rows stand as ours do, half-split.

Down here because two floors need it: the decoder, which says what it reads, and the checkpoints,
which write it.
"""

from __future__ import annotations

_BLOCK = {
    "attention_norm": "input_layernorm",
    "q_proj": "self_attn.q_proj",
    "k_proj": "self_attn.k_proj",
    "v_proj": "self_attn.v_proj",
    "o_proj": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "gate_proj": "mlp.gate_proj",
    "up_proj": "mlp.up_proj",
    "down_proj": "mlp.down_proj",
}


def llama_keys(num_layers: int, *, tied: bool, trunk: str = "model.") -> dict[str, str]:
    """Our name, from the decoder's own root -> the name in the file.

    Args:
        num_layers: Blocks.
        tied: Whether the embedding table is the head; then no head is named.
        trunk: What stands before everything but the head: ``model.`` in a Llama,
            ``model.language_model.`` in a PerceptionLM.
    """
    names = {"embed_tokens.weight": f"{trunk}embed_tokens.weight"}
    for n in range(num_layers):
        for ours, theirs in _BLOCK.items():
            names[f"layers.{n}.{ours}.weight"] = f"{trunk}layers.{n}.{theirs}.weight"
    names["norm.weight"] = f"{trunk}norm.weight"
    if not tied:
        names["lm_head.weight"] = "lm_head.weight"
    return names
