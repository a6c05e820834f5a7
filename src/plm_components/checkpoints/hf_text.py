"""The text model of a Hugging Face PerceptionLM, or a bare Llama: ``config.json`` ->
``decoder/llama``.

What a file leaves out has the default of transformers' ``LlamaConfig``, as saving leaves defaults
out.
"""

from __future__ import annotations

from typing import Any

from plm_components.checkpoints.settings import Settings
from plm_components.errors import UnsupportedError
from plm_components.untrusted import shown

_THETA = 10000.0
# ids and switches of generation, and what only training reads
_NO_MATTER = (
    "architectures", "_name_or_path", "_attn_implementation_autoset", "transformers_version",
    "dtype", "torch_dtype", "attention_dropout", "initializer_range", "use_cache",
    "pretraining_tp", "bos_token_id", "eos_token_id", "pad_token_id", "sep_token_id",
    "decoder_start_token_id", "forced_bos_token_id", "forced_eos_token_id", "return_dict",
    "output_attentions", "output_hidden_states", "output_scores", "return_dict_in_generate",
    "chunk_size_feed_forward", "is_encoder_decoder", "torchscript", "use_bfloat16",
    "tf_legacy_loss", "id2label", "label2id", "num_labels", "problem_type", "finetuning_task",
    "task_specific_params", "tokenizer_class", "prefix", "bad_words_ids", "suppress_tokens",
    "begin_suppress_tokens", "max_length", "min_length", "do_sample", "early_stopping",
    "num_beams", "num_beam_groups", "diversity_penalty", "temperature", "top_k", "top_p",
    "typical_p", "repetition_penalty", "length_penalty", "no_repeat_ngram_size",
    "encoder_no_repeat_ngram_size", "num_return_sequences", "remove_invalid_values",
    "exponential_decay_length_penalty",
)  # fmt: skip


def llama_spec(text: Settings, *, tied: bool) -> dict[str, Any]:
    """The decoder's slot.

    Args:
        text: ``text_config``, or the whole of a bare Llama's ``config.json``.
        tied: Whether the embedding table is the head: the model decides, not its text part.

    Raises:
        UnsupportedError: something our decoder does not do.
        CheckpointError: a value that cannot be right.
    """
    text.demand("model_type", (None, "llama"), why="only Llamas are read here")
    text.demand("hidden_act", (None, "silu", "swish"), why="the MLP's gate is a SiLU")
    for bias in ("attention_bias", "mlp_bias", "add_cross_attention", "tie_encoder_decoder"):
        text.demand(bias, (None, False), why="decoder/llama has none")
    text.demand("pruned_heads", (None, {}), why="all heads are kept")
    text.set_aside("is_decoder", "tie_word_embeddings", *_NO_MATTER)
    dim, heads = text.count("hidden_size", 4096), text.count("num_attention_heads", 32)
    eps = text.number("rms_norm_eps", 1e-6)
    block = {
        "type": "prenorm_gqa_swiglu",
        "num_heads": heads,
        "num_kv_heads": text.count("num_key_value_heads", heads),
        "ffn_dim": text.count("intermediate_size", 11008),
        "norm_eps": eps,
    }
    head_dim = text.count("head_dim", max(1, dim // heads))
    if head_dim * heads != dim:
        block["head_dim"] = head_dim
    return {
        "type": "llama",
        "dim": dim,
        "num_layers": text.count("num_hidden_layers", 32, most=10_000),
        "vocab_size": text.count("vocab_size", 32000),
        "max_positions": text.count("max_position_embeddings", 2048),
        "norm_eps": eps,
        **_rope(text),
        "tie_embeddings": tied,
        "block": block,
    }


def _rope(text: Settings) -> dict[str, Any]:
    """Rotary options, from ``rope_parameters``, or ``rope_scaling`` beside ``rope_theta``."""
    new, old = text.section("rope_parameters"), text.section("rope_scaling")
    # transformers takes rope_scaling where a file has both
    rope = old if old.values else new
    theta = text.number("rope_theta", _THETA)
    kind = rope.raw("rope_type") or rope.raw("type") or "default"
    theta = rope.number("rope_theta", theta)
    text.demand("original_max_position_embeddings", (None,), why="it belongs in rope_parameters")
    text.demand("partial_rotary_factor", (None, 1.0, 1), why="all channels of a head turn")
    rope.demand("partial_rotary_factor", (None, 1.0, 1), why="all channels of a head turn")
    options: dict[str, Any] = {"rope_theta": theta}
    if kind == "llama3":
        options |= _stretch(rope, text)
    elif kind != "default":
        raise UnsupportedError(
            f"The rotary positions are of type {shown(repr(kind))}.",
            where=rope.where,
            expected="rope_type: default or llama3",
            fix="compose a spec with decoder/hf, which runs any decoder of transformers",
        )
    else:
        # transformers reads none of them then
        rope.set_aside("type", "rope_type", "factor", "low_freq_factor", "high_freq_factor",
                       "original_max_position_embeddings")  # fmt: skip
    for key in rope.unknown():
        rope.demand(key, (None,), why="decoder/llama has no such option")
    return options


def _stretch(rope: Settings, text: Settings) -> dict[str, Any]:
    rope.set_aside("type", "rope_type")
    low, high = rope.number("low_freq_factor"), rope.number("high_freq_factor")
    if low >= high:
        raise rope.wrong("low_freq_factor", f"less than high_freq_factor, {high:g}")
    positions = text.count("max_position_embeddings", 2048)
    return {
        "rope_scale_factor": rope.number("factor"),
        "rope_low_freq_factor": low,
        "rope_high_freq_factor": high,
        "rope_original_positions": rope.count("original_max_position_embeddings", positions),
    }
