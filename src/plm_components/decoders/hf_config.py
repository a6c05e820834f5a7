"""transformers configurations: read, checked for misspelt keys, and made small for a rehearsal."""

from __future__ import annotations

import copy
import difflib
import inspect
from typing import Any

from transformers import AutoConfig, PretrainedConfig

from plm_components.errors import ContractError

# keys of published config.json files that are not among the arguments of every class
_ALWAYS = {
    "head_dim",
    "model_type",
    "torch_dtype",
    "rope_theta",
    "rope_scaling",
    "_attn_implementation",
}
_SMALL = {
    "vocab_size": 64,
    "intermediate_size": 32,
    "moe_intermediate_size": 16,
    "shared_expert_intermediate_size": 16,
    "num_hidden_layers": 2,
    "sliding_window": 3,
    "attention_dropout": 0.0,
}
_SPECIAL_IDS = ("bos_token_id", "eos_token_id", "pad_token_id")


def read_config(path: str | None, config: dict[str, Any] | None) -> PretrainedConfig:
    """The configuration from exactly one of a directory or hub id, and an inline dict.

    Raises:
        ContractError: neither or both, no ``model_type``, a key the model does not know, a wrong
            type, nothing at ``path``, or an encoder-decoder.
    """
    if (path is None) == (config is None):
        raise ContractError(
            f"decoder/hf got {'neither' if path is None else 'both'} path and config.",
            where="decoder/hf",
            expected="exactly one: path (a directory or hub id) or config (inline)",
            fix="set decoder.path=Qwen/Qwen3-0.6B, or decoder.config={model_type: qwen3, ...}",
        )
    found = _from_path(path) if path is not None else _from_inline(config or {})
    if getattr(found, "is_encoder_decoder", False):
        raise ContractError(
            f"{found.model_type} is an encoder-decoder.",
            where="decoder/hf",
            expected="a decoder-only language model",
            fix="choose a causal language model",
        )
    return found.get_text_config()


def _from_path(path: str) -> PretrainedConfig:
    try:
        return AutoConfig.from_pretrained(path, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise ContractError(
            f"No configuration can be read from {path}: {str(error).splitlines()[0]}",
            where="decoder/hf, path",
            expected="a directory with a config.json, or the id of a model on the hub, of a kind "
            "this transformers knows",
            fix="check the path, or write the configuration inline (decoder.config)",
        ) from error


def _from_inline(config: dict[str, Any]) -> PretrainedConfig:
    options = dict(config)
    model_type = options.pop("model_type", None)
    known = _config_class(model_type)
    _refuse_unknown_keys(model_type, known, options)
    # these are the tokenizer's business here, and the class's defaults fit another vocabulary
    silent = {name: None for name in _SPECIAL_IDS if name in inspect.signature(known).parameters}
    options = silent | options
    try:
        return known(**options)
    # transformers' strict configurations raise a class of huggingface_hub that is no ValueError
    except Exception as error:
        raise ContractError(
            f"{model_type} refuses this configuration: {' '.join(str(error).split())}",
            where="decoder/hf, config",
            expected=f"values that {known.__name__} accepts",
            fix="correct the key named above",
        ) from error


def _config_class(model_type: Any) -> type[PretrainedConfig]:
    try:
        # the mapping imports the class; no hub is asked
        return type(AutoConfig.for_model(model_type))
    except (ValueError, TypeError) as error:
        from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

        said = model_type if isinstance(model_type, str) else ""
        near = difflib.get_close_matches(said, CONFIG_MAPPING_NAMES, n=3)
        raise ContractError(
            f"transformers knows no model_type {model_type!r}.",
            where="decoder/hf, config.model_type",
            expected="a model_type of transformers, such as llama, qwen3, gpt2",
            fix=f"did you mean {', '.join(near)}?" if near else "set config.model_type",
        ) from error


def _refuse_unknown_keys(
    model_type: str, known: type[PretrainedConfig], options: dict[str, Any]
) -> None:
    names = {*inspect.signature(known.__init__).parameters, *known.attribute_map, *_ALWAYS}
    names.discard("self")
    for key in options:
        if key not in names:
            near = difflib.get_close_matches(key, names, n=1)
            raise ContractError(
                f"{model_type} has no configuration key {key!r}.",
                where=f"decoder/hf, config.{key}",
                expected=f"keys of {known.__name__}",
                fix=f"did you mean {near[0]}?" if near else "delete the key",
            )


def small_copy(config: PretrainedConfig) -> PretrainedConfig:
    """Two narrow layers of the same architecture, every scale and cap kept."""
    small = copy.deepcopy(config)
    _shorten_layer_lists(small, config.num_hidden_layers)
    for name, value in _SMALL.items():
        if getattr(config, name, None) is not None:
            setattr(small, name, value)
    for name in _SPECIAL_IDS:
        setattr(small, name, None)
    _narrow(small)
    # some constructors lengthen their tables again from these
    small.max_position_embeddings = min(getattr(config, "max_position_embeddings", None) or 64, 64)
    return small


def _shorten_layer_lists(small: PretrainedConfig, num_layers: int) -> None:
    kinds = list(getattr(small, "layer_types", None) or [])
    # two layers, of two kinds where there are two
    other = next(
        (index for index, kind in enumerate(kinds) if kind != kinds[0]), min(1, num_layers - 1)
    )
    for name, value in list(vars(small).items()):
        # of one layer, any list of one thing would seem to be a list of layers
        if num_layers == 1 and name != "layer_types":
            continue
        if isinstance(value, list | tuple) and len(value) == num_layers:
            setattr(small, name, [value[0], value[other]])


def _narrow(small: PretrainedConfig) -> None:
    """Fewer heads of the same size, where the configuration has plain heads."""
    heads = getattr(small, "num_attention_heads", None)
    if not isinstance(heads, int):
        return
    head_dim = getattr(small, "head_dim", None) or small.hidden_size // heads
    kv_heads = getattr(small, "num_key_value_heads", None)
    if kv_heads:
        small.num_key_value_heads = min(kv_heads, 2)
        kept = small.num_key_value_heads * (heads // kv_heads)
    else:
        kept = min(heads, 2)
    small.num_attention_heads, small.hidden_size = kept, kept * head_dim
