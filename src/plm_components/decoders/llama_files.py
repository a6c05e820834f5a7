"""The native decoder out of transformers' files: Llama directories, and a PerceptionLM's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plm_components.contracts import (
    CheckpointHeader,
    Reading,
    llama_keys,
    refusal,
    refuse_differing,
)

_TRUNKS = {"llama": "model.", "perception_lm": "model.language_model."}
# a tied head may be stored all the same; old files hold the rotary frequencies of each layer
_HEAD, _OLD_BUFFER = "lm_head.weight", ".rotary_emb.inv_freq"


def read_llama(decoder: Any, header: CheckpointHeader) -> Reading:
    """The map of a ``decoder/llama`` of blocks that are named as Llama's are.

    Args:
        decoder: The decoder, on the meta device.
        header: Of the checkpoint.

    Raises:
        CheckpointError: no Llama, one of other sizes, or blocks of other tensors.
    """
    trunk, config = _llama_in(header)
    tied = decoder.lm_head is None
    names = llama_keys(len(decoder.layers), tied=tied, trunk=trunk)
    _require_named_blocks(decoder, set(names))
    refuse_differing(_facts(config), _built(decoder), options="decoder in the spec")
    heads = {_HEAD} if tied else set()
    old = {name for name in header.shapes if name.endswith(_OLD_BUFFER)}
    beside = {n for n in header.shapes if not n.startswith(trunk) and n != _HEAD}
    inside = header.model_type != "llama"
    return Reading(
        f"the decoder of {header}" if inside else str(header),
        names,
        passed_over={*heads, *old, *(beside if inside else ())},
    )


def _llama_in(header: CheckpointHeader) -> tuple[str, Mapping[str, Any]]:
    """Where the decoder's names begin, and its configuration."""
    config = header.config
    if header.model_type == "perception_lm":
        text = config.get("text_config")
        text = text if isinstance(text, Mapping) else {}
        # the whole model's own word on its head counts, as in transformers
        key = "tie_word_embeddings"
        config = {**text, **({key: config[key]} if key in config else {})}
    if header.kind != "hf" or config.get("model_type") != "llama":
        raise refusal(
            f"This is {header}, not a Llama.",
            expected="a directory of transformers of model_type llama, or a PerceptionLM",
            fix="name weights of a Llama, or choose decoder=hf for another causal language model",
        )
    return _TRUNKS[header.model_type], config


def _require_named_blocks(decoder: Any, names: set[str]) -> None:
    own = set(decoder.state_dict())
    if own != names:
        block = type(decoder.layers[0]).__name__
        raise refusal(
            f"The layers of a Llama do not fill {block}, whose tensors are others.",
            expected="blocks with the tensors of decoder_block/prenorm_gqa_swiglu",
            fix="set decoder.block=prenorm_gqa_swiglu, or name no weights for the decoder",
        )


def _facts(config: Mapping[str, Any]) -> dict[str, Any]:
    """What decides a Llama, under the keys of its config.json, defaults as transformers has them.

    The head size is left to the shapes where the configuration does not say it.
    """
    heads = config.get("num_attention_heads", 32)
    return {
        "hidden_size": config.get("hidden_size", 4096),
        "num_hidden_layers": config.get("num_hidden_layers", 32),
        "num_attention_heads": heads,
        "num_key_value_heads": config.get("num_key_value_heads") or heads,
        "head_dim": config.get("head_dim") or config.get("hidden_size", 4096) // heads,
        "intermediate_size": config.get("intermediate_size", 11008),
        "vocab_size": config.get("vocab_size", 32000),
        "rms_norm_eps": config.get("rms_norm_eps", 1e-6),
        "tie_word_embeddings": config.get("tie_word_embeddings", False),
        "hidden_act": config.get("hidden_act", "silu"),
        "attention_bias": config.get("attention_bias", False),
        "mlp_bias": config.get("mlp_bias", False),
        **_rope(config),
    }


def _rope(config: Mapping[str, Any]) -> dict[str, Any]:
    """Rotary settings, as transformers 5 writes them or as older ones did; 1 where unstretched."""
    rope = dict(config.get("rope_scaling") or config.get("rope_parameters") or {})
    theta = rope.get("rope_theta", config.get("rope_theta", 10000.0))
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind == "default" or (kind == "llama3" and rope.get("factor") == 1):
        return {"rope_theta": theta, "rope_type": "default", **_UNSTRETCHED}
    settings = {key: rope.get(key) for key in _UNSTRETCHED}
    return {"rope_theta": theta, "rope_type": kind, **settings}


_UNSTRETCHED = {
    "factor": 1.0,
    "low_freq_factor": None,
    "high_freq_factor": None,
    "original_max_position_embeddings": None,
}


def _built(decoder: Any) -> dict[str, Any]:
    """The same of the decoder as it was built."""
    block, scaling = decoder.layers[0], decoder.rotary.scaling
    stretched = scaling.factor != 1.0
    return {
        "hidden_size": decoder.width,
        "num_hidden_layers": len(decoder.layers),
        "num_attention_heads": block.q_proj.out_features // block.head_dim,
        "num_key_value_heads": block.num_kv_heads,
        "head_dim": block.head_dim,
        "intermediate_size": block.gate_proj.out_features,
        "vocab_size": decoder.vocab_size,
        "rms_norm_eps": _one({decoder.norm.eps, block.attention_norm.eps, block.ffn_norm.eps}),
        "tie_word_embeddings": decoder.lm_head is None,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "rope_theta": decoder.rotary.theta,
        "rope_type": "llama3" if stretched else "default",
        "factor": scaling.factor,
        "low_freq_factor": scaling.low_freq_factor if stretched else None,
        "high_freq_factor": scaling.high_freq_factor if stretched else None,
        "original_max_position_embeddings": scaling.original_positions if stretched else None,
    }


def _one(values: set[Any]) -> Any:
    return values.pop() if len(values) == 1 else sorted(values)
