"""What parts say of themselves against what their neighbours need."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from plm_components import contracts
from plm_components.assembly.budgets import VIDEO_SLOTS
from plm_components.assembly.candidates import other_components, raised
from plm_components.assembly.examination import Examination, all_parts
from plm_components.contracts import Causal, CausalCached, Full, ids_of_media, shortfalls
from plm_components.spec import Part

# that a model can be built in
DTYPES = ("float32", "bfloat16", "float16", "float64")

_PROTOCOLS: dict[str, type] = {
    protocol.__plm_kind__: protocol
    for protocol in vars(contracts).values()
    if isinstance(getattr(protocol, "__plm_kind__", None), str)
}
# which masks the attention of a top-level part will be asked for
_MASKS_NEEDED: dict[str, tuple[type, ...]] = {
    "vision_encoder": (Full,),
    "projector": (Full,),
    "decoder": (Causal, CausalCached),
}


def check_members(exam: Examination) -> None:
    """Every part has everything its kind promises."""
    for part in all_parts(exam.tree):
        for instance in exam.parts.instances.get(part.path, [])[:1]:
            missing = [name for name in promised_members(part.kind) if not hasattr(instance, name)]
            if missing:
                exam.find(
                    f"{part.entry.address} lacks {', '.join(missing)}.",
                    where=f"{part.path} ({type(instance).__name__})",
                    expected=f"everything a {part.kind} promises",
                    fix=f"add what is missing; {_PROTOCOLS[part.kind].__name__} in "
                    "plm_components.contracts says what it must do",
                )


def promised_members(kind: str) -> list[str]:
    """Names a part of this kind must have."""
    protocol = _PROTOCOLS.get(kind)
    if protocol is None:
        return []
    names = {*getattr(protocol, "__annotations__", {}), *vars(protocol)}
    return sorted(name for name in names if not name.startswith("_"))


def check_ids(exam: Examination) -> None:
    """Every id the tokenizer gives has a row in the decoder's table, media tokens excepted."""
    tokenizer, decoder = exam.parts.tokenizer, exam.parts.decoder
    if tokenizer is None or decoder is None:
        return
    rows, media = decoder.vocab_size, ids_of_media(tokenizer)
    named = [("pad_id", tokenizer.pad_id), *(("stop_ids", stop) for stop in tokenizer.stop_ids)]
    outside = {f"{name} {token}" for name, token in named if token >= rows and token not in media}
    # media tokens are replaced before the table is read
    words_end = max((i for i in _last_ids(tokenizer) if i not in media), default=-1)
    if words_end >= rows:
        outside.add(f"vocab_size {tokenizer.vocab_size}")
    needed = max(words_end, *(token for _, token in named)) + 1
    if outside:
        exam.find(
            f"The decoder's table has {rows:,} rows, too few for the tokenizer's "
            f"{', '.join(sorted(outside))}.",
            where="tokenizer -> decoder.vocab_size",
            expected=f"at least {needed:,} rows",
            fix="give the decoder a larger table, or choose the tokenizer it was made for",
            candidates=raised(exam.part("decoder"), "vocab_size", needed),
        )


def _last_ids(tokenizer: Any) -> range:
    """The last ids of a vocabulary: enough to get past all media tokens."""
    count = len(ids_of_media(tokenizer)) + 1
    return range(max(0, tokenizer.vocab_size - count), tokenizer.vocab_size)


def check_attention(exam: Examination) -> None:
    """Each attention kernel supports the masks, heads, dtype and device it will meet."""
    for part in all_parts(exam.tree):
        instances = exam.parts.instances.get(part.path)
        if part.kind == "attention" and instances:
            lacking = dict(_lacking(exam, part, instances[0]))
            if lacking:
                exam.find(
                    f"{part.entry.address} cannot do {', '.join(lacking)}.",
                    where=part.path,
                    expected="; ".join(dict.fromkeys(lacking.values())),
                    fix="choose another attention for this slot",
                    candidates=other_components(exam, part),
                )


def _lacking(exam: Examination, part: Part, kernel: Any) -> Iterator[tuple[str, str]]:
    """What is asked of a kernel and not supported, and what it supports instead."""
    return shortfalls(
        kernel.support,
        masks=_MASKS_NEEDED.get(part.path.partition(".")[0], ()),
        device=exam.device,
        dtype=exam.dtype,
        grouped=kernel.num_kv_heads != kernel.num_heads,
        head_dim=kernel.head_dim,
        backward=False,
    )


def check_video_slots(exam: Examination) -> None:
    """A variant takes videos with all three parts of it, or with none of them."""
    filled = [slot for slot in VIDEO_SLOTS if exam.part(slot) is not None]
    empty = [slot for slot in VIDEO_SLOTS if slot not in filled]
    if not filled or not empty:
        return
    exam.find(
        f"{' and '.join(filled)} without {' and '.join(empty)}: no video can be read.",
        where=", ".join(empty),
        expected=f"all of {', '.join(VIDEO_SLOTS)}, or none of them",
        fix=f"fill {' and '.join(empty)}, or set {' and '.join(filled)} to null",
        candidates=_complete(exam, filled, empty),
    )


def _complete(exam: Examination, filled: list[str], empty: list[str]) -> tuple[str, ...]:
    if len(filled) == 1:
        return (f"{filled[0]}=null",)
    return tuple(
        f"{empty[0]}={exam.zoo.spelling(entry)}"
        for entry in exam.zoo.entries(empty[0])
        if entry.status == "available"
    )


def check_tile_sizes(exam: Examination) -> None:
    """Tilers and frame transforms give tiles of the encoder's size."""
    encoder = exam.parts.vision_encoder
    for slot in ("image_tiler", "frame_transform"):
        built = exam.built(slot)
        if encoder is None or built is None:
            continue
        part, tiler = built
        if tiler.tile_size != encoder.image_size:
            exam.find(
                f"{part.entry.address} gives tiles of {tiler.tile_size}.",
                where=part.path,
                expected=f"tiles of {encoder.image_size}, the encoder's image_size",
                fix=f"report it to {part.entry.provider.distribution}: it was wired with that size",
            )


def dtype_name(dtype: torch.dtype) -> str:
    """``float32`` for ``torch.float32``."""
    return str(dtype).removeprefix("torch.")
