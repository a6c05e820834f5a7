"""A transformers causal language model taken apart: embed, layers, head."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn
from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AutoModelForCausalLM, PretrainedConfig

from plm_components.contracts import Mask
from plm_components.decoders.hf_cache import HFCache
from plm_components.decoders.hf_masks import Style, transformers_mask
from plm_components.errors import ContractError


def best_implementation(config: PretrainedConfig) -> str:
    """``sdpa`` where the architecture supports it, else ``eager`` (sinks, soft caps).

    Raises:
        ContractError: the architecture has no causal language model.
    """
    if type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        raise ContractError(
            f"transformers has no causal language model for {config.model_type}.",
            where="decoder/hf, config.model_type",
            expected="an architecture that AutoModelForCausalLM knows",
            fix="choose a decoder-only language model, such as llama or qwen3",
        )
    model_class = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]
    # transformers 5.17 calls sdpa supported by Gemma 2, and leaves its caps out
    is_capped = getattr(config, "attn_logit_softcapping", None) is not None
    return "sdpa" if model_class._supports_sdpa and not is_capped else "eager"


def build_model(config: PretrainedConfig, implementation: str) -> Any:
    """The model of a configuration, on the current default device, in the default dtype."""
    try:
        model = AutoModelForCausalLM.from_config(
            config,
            attn_implementation=implementation,
            dtype=torch.get_default_dtype(),
            trust_remote_code=False,
        )
    # an AssertionError is torch's word for a pad_token_id outside the table
    except (ValueError, ImportError, AssertionError) as error:
        raise ContractError(
            f"transformers cannot build {config.model_type}: {' '.join(str(error).split())}",
            where="decoder/hf",
            expected=f"a causal language model that runs with {implementation} attention",
            fix="correct the configuration, or leave attention_implementation unset",
        ) from error
    return model.eval()


def embed(model: Any, input_ids_BL: Tensor) -> Tensor:
    """``(B, L)`` -> ``(B, L, D)``: what the model accepts as ``inputs_embeds``."""
    x_BLD: Tensor = model.get_input_embeddings()(input_ids_BL)
    return x_BLD


def hidden(
    model: Any,
    style: Style,
    x_BLD: Tensor,
    positions_BL: Tensor,
    mask: Mask,
    cache: HFCache | None,
) -> Tensor:
    """``(B, L, D)`` -> hidden states ``(B, L, D)``."""
    outputs = model.base_model(
        inputs_embeds=x_BLD,
        attention_mask=transformers_mask(model.config, style, x_BLD, positions_BL, mask, cache),
        position_ids=positions_BL,
        use_cache=cache is not None,
        **_cache_argument(model, cache),
    )
    if cache is not None:
        cache.advance(x_BLD.shape[1])
    hidden_BLD: Tensor = outputs.last_hidden_state
    return hidden_BLD


def _cache_argument(model: Any, cache: HFCache | None) -> dict[str, Any]:
    """The cache under the name that this model has for it: transformers 5.24 renamed it."""
    if cache is None:
        return {}
    known = inspect.signature(model.base_model.forward).parameters
    return {"cache" if "cache" in known else "past_key_values": cache.layers}


def logits(model: Any, hidden_BLD: Tensor) -> Tensor:
    """``(B, L, D)`` -> ``(B, L, V)``: the head, and the three things models do behind it."""
    config = model.config
    logits_BLV: Tensor = model.get_output_embeddings()(hidden_BLD)
    divisor = getattr(config, "logits_scaling", None)  # Granite
    if divisor is not None:
        logits_BLV = logits_BLV / divisor
    factor = getattr(config, "logit_scale", None)  # Cohere
    if factor is not None:
        logits_BLV = logits_BLV * factor
    cap = getattr(config, "final_logit_softcapping", None)  # Gemma 2
    return logits_BLV if cap is None else torch.tanh(logits_BLV / cap) * cap


def remake_buffers(model: Any) -> None:
    """Recomputes what ``to_empty`` or a cast destroyed, and ties again what it untied.

    transformers initialises buffers where it initialises weights, and skips what is flagged as
    done: the flags protect the weights here.
    """
    for module in model.modules():
        if module._non_persistent_buffers_set:
            _flag(module, done=True)
            model._init_weights(module)
            _flag(module, done=False)
    model.tie_weights()


def randomise(model: Any) -> None:
    """Every parameter as the model's authors initialise it, from torch's global generator."""
    for module in model.modules():
        _flag(module, done=False)
        module.__dict__.pop("_is_hf_initialized", None)
    model.initialize_weights()
    model.tie_weights()


def _flag(module: nn.Module, *, done: bool) -> None:
    for parameter in module.parameters(recurse=False):
        parameter._is_hf_initialized = done  # type: ignore[attr-defined]
