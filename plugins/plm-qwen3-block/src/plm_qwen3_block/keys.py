"""Tensor names: a Qwen3 checkpoint of transformers, and ``decoder/llama`` over ``qwen3`` blocks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

_ANY = TypeVar("_ANY")

_LAYER = re.compile(r"model\.layers\.(\d+)\.(.+)")
_OUTSIDE = {"model.embed_tokens": "embed_tokens", "model.norm": "norm", "lm_head": "lm_head"}
_IN_A_LAYER = {
    "input_layernorm": "attention_norm",
    "self_attn.q_proj": "q_proj",
    "self_attn.k_proj": "k_proj",
    "self_attn.v_proj": "v_proj",
    "self_attn.q_norm": "q_norm",
    "self_attn.k_norm": "k_norm",
    "self_attn.o_proj": "o_proj",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "gate_proj",
    "mlp.up_proj": "up_proj",
    "mlp.down_proj": "down_proj",
}


def decoder_name(theirs: str) -> str:
    """The name in ``decoder/llama`` of a tensor of ``Qwen3ForCausalLM``.

    >>> decoder_name("model.layers.3.self_attn.q_norm.weight")
    'layers.3.q_norm.weight'

    Raises:
        KeyError: Qwen3 has no tensor of this name.
    """
    owner, _, leaf = theirs.rpartition(".")
    layer = _LAYER.fullmatch(owner)
    if layer is None:
        return f"{_OUTSIDE[owner]}.{leaf}"
    return f"layers.{layer[1]}.{_IN_A_LAYER[layer[2]]}.{leaf}"


def decoder_tensors(theirs: Mapping[str, _ANY], *, tied: bool) -> dict[str, _ANY]:
    """A checkpoint's tensors under the decoder's names, as they are: both layouts are half-split.

    Args:
        theirs: Name of ``Qwen3ForCausalLM`` -> tensor.
        tied: Whether the head is the embedding table, as in the models up to 4B: ``decoder/llama``
            then holds no head, and the checkpoint's copy is left out.
    """
    return {
        decoder_name(name): tensor
        for name, tensor in theirs.items()
        if not (tied and name == "lm_head.weight")
    }
