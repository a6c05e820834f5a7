"""Small PerceptionLMs that leave in other formats, and what they are compared with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from tokenizers.processors import TemplateProcessing
from torch import Tensor

import plm_components as plm
from small_specs import tiny_spec

SPECIALS = [
    "<|begin_of_text|>", "<|end_of_text|>", "<|image|>", "<|video|>",
    *(f"<|reserved_special_token_{n}|>" for n in (2, 3)),
    "<|start_header_id|>", "<|end_header_id|>", "<|reserved_special_token_4|>", "<|eot_id|>",
]  # fmt: skip
PE: dict[str, Any] = {
    "type": "pe", "dim": 32, "num_layers": 2, "num_heads": 2, "ffn_dim": 72, "image_size": 56,
}  # fmt: skip


def publish_tokenizer(
    directory: Path, *, chat_template: str | None = None, specials: list[str] = SPECIALS
) -> str:
    """Bytes and PerceptionLM's special tokens, as transformers would publish them."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: n for n, letter in enumerate(letters)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(one, normalized=False) for one in specials])
    begin = specials[0]
    tokenizer.post_processor = TemplateProcessing(
        single=f"{begin} $A", special_tokens=[(begin, tokenizer.token_to_id(begin))]
    )
    directory.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(directory / "tokenizer.json"))
    config = {"bos_token": begin, "eos_token": "<|eot_id|>", "pad_token": "<|end_of_text|>"}
    # a class that would build its own pre-tokenizer, as some published files name
    config |= {"tokenizer_class": "LlamaTokenizerFast", "chat_template": "{{ 1/0 }}"}
    (directory / "tokenizer_config.json").write_text(json.dumps(config))
    if chat_template is not None:
        (directory / "chat_template.jinja").write_text(chat_template)
    return str(directory)


def plm_spec(tokenizer: dict[str, Any] | str, **slots: Any) -> dict[str, Any]:
    """A PerceptionLM of 60,000 parameters; keyword arguments merge into its slots.

    Args:
        tokenizer: The slot, or the directory of a ``tokenizer/hf``.
        slots: Options by slot.
    """
    if isinstance(tokenizer, str):
        tokenizer = {"type": "hf", "path": tokenizer}
    spec = tiny_spec(vision_encoder=dict(PE), tokenizer=tokenizer)
    spec["decoder"]["max_positions"] = 512
    for slot, options in slots.items():
        block = options.get("block") if isinstance(options, dict) else None
        if block is not None:
            options = {**options, "block": {**spec[slot]["block"], **block}}
        spec[slot] = {**spec[slot], **options} if isinstance(options, dict) else options
    return spec


def random_variant(spec: dict[str, Any], **wishes: Any) -> plm.Variant:
    """With weights of which none is what an initialisation leaves (ones, zeros, 0.1)."""
    variant = plm.assemble(spec, init="random", **wishes)
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in variant.model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.add_(0.05 * noise.to(parameter.dtype))
    return variant


def contents(directory: Path) -> dict[str, bytes]:
    """Every file of a directory."""
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def off_by(ours: Tensor, theirs: Tensor) -> float:
    """Largest difference, on the scale of the logits."""
    return float((ours - theirs).detach().abs().max() / theirs.abs().max())
