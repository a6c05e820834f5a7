"""Which directories of transformers hold the causal language model that was built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transformers import AutoConfig

from plm_components.contracts import CheckpointHeader, Reading, refusal, refuse_differing

# keys of a configuration that change no logit of a model that only answers
_NO_MATTER = frozenset(
    {
        "_name_or_path",
        "architectures",
        "attention_dropout",
        "attn_pdrop",
        "bos_token_id",
        "chunk_size_feed_forward",
        "classifier_dropout",
        "dtype",
        "embd_pdrop",
        "eos_token_id",
        "id2label",
        "initializer_range",
        "label2id",
        "max_position_embeddings",
        "output_attentions",
        "output_hidden_states",
        "pad_token_id",
        "pretraining_tp",
        "problem_type",
        "resid_pdrop",
        "return_dict",
        "task_specific_params",
        "torch_dtype",
        "transformers_version",
        "use_cache",
    }
)
_OLD_BUFFERS = (".rotary_emb.inv_freq", ".attn.masked_bias", ".attn.bias")


def read_causal_lm(model: Any, header: CheckpointHeader) -> Reading:
    """The map of a ``decoder/hf``.

    Args:
        model: transformers' model, on the meta device.
        header: Of the checkpoint.

    Raises:
        CheckpointError: another architecture, or one of other sizes.
    """
    config, inside = _language_model(header)
    wanted = model.config.model_type
    if header.kind != "hf" or config.get("model_type") != wanted:
        raise refusal(
            f"This is {header}, not a {wanted}.",
            expected=f"a directory of transformers of model_type {wanted}",
            fix=f"name weights of a {wanted}, or set decoder.config (or decoder.path) to this one",
        )
    keys = {key: value for key, value in config.items() if key != "model_type"}
    theirs = AutoConfig.for_model(wanted, **keys).get_text_config()
    refuse_differing(
        theirs.to_dict(), model.config.to_dict(), options="decoder.config", ignored=_NO_MATTER
    )
    tied = set(model.all_tied_weights_keys)
    names = {
        f"model.{name}": _spelt(name, inside) for name in model.state_dict() if name not in tied
    }
    old = {name for name in header.shapes if name.endswith(_OLD_BUFFERS)}
    beside = {name for name in header.shapes if inside and not name.startswith(_TRUNK)}
    return Reading(
        f"the decoder of {header}" if inside else str(header),
        names,
        passed_over=({*tied, *old, *beside}) - set(names.values()),
    )


_TRUNK = "model.language_model."


def _language_model(header: CheckpointHeader) -> tuple[Mapping[str, Any], bool]:
    """The configuration of the language model, and whether it lies inside a PerceptionLM."""
    if header.model_type != "perception_lm":
        return header.config, False
    text = header.config.get("text_config")
    return (text if isinstance(text, Mapping) else {}), True


def _spelt(name: str, inside: bool) -> str:
    return name.replace("model.", _TRUNK, 1) if inside and name.startswith("model.") else name
