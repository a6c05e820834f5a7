"""Our names -> Hugging Face's names of a PerceptionLM. No tensor is changed."""

from __future__ import annotations

from plm_components.checkpoints.pe_keys import pe_names
from plm_components.checkpoints.plm_sizes import PLMSizes
from plm_components.contracts.llama_keys import llama_keys

TOWER = "model.vision_tower.timm_model."
PROJECTOR = "model.multi_modal_projector."
TRUNK = "model.language_model."


def hf_keys(sizes: PLMSizes) -> dict[str, str]:
    """Our name, from the model's root -> the name in ``model.safetensors``.

    Args:
        sizes: Of the model. A tied head is named nowhere; a file may have ``lm_head.weight`` then.
    """
    tower = pe_names(
        sizes.vision_layers, class_token=sizes.class_token, layer_scale=sizes.layer_scale
    )
    names = {f"vision_encoder.{name}": f"{TOWER}{name}" for name in tower}
    for name in projector_names():
        names[f"projector.{name}"] = f"{PROJECTOR}{name}"
    decoder = llama_keys(sizes.decoder_layers, tied=sizes.tied, trunk=TRUNK)
    return names | {f"decoder.{ours}": theirs for ours, theirs in decoder.items()}


def projector_names() -> tuple[str, ...]:
    """Tensors of ``projector/avg_pool_mlp``, which has Hugging Face's names."""
    return tuple(f"linear_{n}.{tensor}" for n in (1, 2) for tensor in ("weight", "bias"))
