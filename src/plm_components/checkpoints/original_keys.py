"""Our names -> the names of an original PerceptionLM checkpoint, and what reading it changes."""

from __future__ import annotations

from plm_components.checkpoints.changes import Change, HalfSplitRows
from plm_components.checkpoints.pe_keys import original_pe_changes, original_pe_keys
from plm_components.checkpoints.plm_sizes import PLMSizes

_PROJECTOR = {"linear_1": "0", "linear_2": "2"}
_BLOCK = {
    "attention_norm": "attention_norm",
    "q_proj": "attention.wq",
    "k_proj": "attention.wk",
    "v_proj": "attention.wv",
    "o_proj": "attention.wo",
    "ffn_norm": "ffn_norm",
    "gate_proj": "feed_forward.w1",
    "up_proj": "feed_forward.w3",
    "down_proj": "feed_forward.w2",
}


def original_keys(sizes: PLMSizes) -> dict[str, str]:
    """Our name, from the model's root -> the name in ``consolidated.pth``.

    Args:
        sizes: Of the model. A tied head is named nowhere; a file may have it under
            ``output.tied_module.weight``.
    """
    tower = original_pe_keys(
        sizes.vision_layers, class_token=sizes.class_token, layer_scale=sizes.layer_scale
    )
    names = {f"vision_encoder.{ours}": f"vision_model.{theirs}" for ours, theirs in tower.items()}
    for ours, theirs in _PROJECTOR.items():
        for tensor in ("weight", "bias"):
            names[f"projector.{ours}.{tensor}"] = f"vision_projector.projector.{theirs}.{tensor}"
    decoder = original_llama_keys(sizes.decoder_layers, tied=sizes.tied)
    return names | {f"decoder.{ours}": theirs for ours, theirs in decoder.items()}


def original_llama_keys(num_layers: int, *, tied: bool) -> dict[str, str]:
    """The decoder alone, ours from its own root: Meta's Llama files have the same names."""
    names = {"embed_tokens.weight": "tok_embeddings.weight"}
    for n in range(num_layers):
        for ours, theirs in _BLOCK.items():
            names[f"layers.{n}.{ours}.weight"] = f"layers.{n}.{theirs}.weight"
    names["norm.weight"] = "norm.weight"
    if not tied:
        names["lm_head.weight"] = "output.weight"
    return names


def original_changes(sizes: PLMSizes) -> dict[str, Change]:
    """What reading the original tensors takes, by our name; ``inverse`` of each writes them."""
    tower = original_pe_changes(class_token=sizes.class_token)
    decoder = original_llama_changes(sizes.decoder_layers, sizes.num_heads, sizes.num_kv_heads)
    return {f"vision_encoder.{name}": change for name, change in tower.items()} | {
        f"decoder.{name}": change for name, change in decoder.items()
    }


def original_llama_changes(num_layers: int, num_heads: int, num_kv_heads: int) -> dict[str, Change]:
    """The decoder alone: queries and keys are turned in neighbouring pairs there, not in halves."""
    heads = {"q_proj": num_heads, "k_proj": num_kv_heads}
    return {
        f"layers.{n}.{name}.weight": HalfSplitRows(count)
        for n in range(num_layers)
        for name, count in heads.items()
    }
