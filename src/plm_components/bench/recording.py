"""Attention and pooling parts that compute nothing and remember what they were asked.

They stand in every slot of these kinds, whatever the spec names there, so that a composition
of any plugin's parts tells its own shapes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any, cast

import torch
from torch import Tensor

from plm_components.bench.operations.masks import mask_sizes
from plm_components.contracts import CausalCached, Documents, Grid, Mask
from plm_components.spec import Part, SpecTree


@dataclass(frozen=True)
class Call:
    """One request to a kernel, with everything that an operation is made of.

    Args:
        path: Slot of the spec, ``decoder.block.attention``.
        kind: ``attention`` or ``pooling``.
        sizes: As the operation of that kind takes them, in order.
        dtype: Of the tensors.
    """

    path: str
    kind: str
    sizes: tuple[tuple[str, int | str], ...]
    dtype: torch.dtype


@dataclass
class Recording:
    """What was asked since it was last taken.

    Args:
        calls: How often each was asked.
        unknown: Requests whose mask has values that the meta device does not hold.
    """

    calls: Counter[Call] = field(default_factory=Counter)
    unknown: set[str] = field(default_factory=set)

    def take(self) -> Counter[Call]:
        """Everything since the last time."""
        taken, self.calls = self.calls, Counter()
        return taken


def with_recorders(tree: SpecTree, recording: Recording) -> SpecTree:
    """The same spec with a recorder in every slot of a kernel."""
    parts = {
        slot: None if part is None else _replaced(part, recording)
        for slot, part in tree.parts.items()
    }
    return replace(tree, parts=parts)


def _replaced(part: Part, recording: Recording) -> Part:
    if part.kind == "attention":
        return _instead(part, RecordingAttention, recording)
    if part.kind == "pooling":
        return _instead(part, RecordingPooling, recording)
    children = {name: _replaced(child, recording) for name, child in part.children.items()}
    return replace(part, children=children)


def _instead(part: Part, recorder: type[Any], recording: Recording) -> Part:
    def make(*wired: Any, **options: Any) -> Any:
        return recorder(part, recording, *wired)

    return replace(part, cls=cast("type[Any]", make), children={})


class RecordingAttention:
    """Stands for an attention part.

    Args:
        part: That it stands for.
        recording: Where it remembers.
        num_heads: Query heads.
        num_kv_heads: Key/value heads.
        head_dim: Channels of one head.
    """

    __plm_kind__ = "attention"

    def __init__(
        self, part: Part, recording: Recording, num_heads: int, num_kv_heads: int, head_dim: int
    ) -> None:
        self.num_heads, self.num_kv_heads, self.head_dim = num_heads, num_kv_heads, head_dim
        self.support = part.cls.support
        self._part, self._recording = part, recording

    def __call__(self, q_BHLh: Tensor, k_BGSh: Tensor, v_BGSh: Tensor, mask: Mask) -> Tensor:
        """``(B,H,L,h), (B,G,S,h), (B,G,S,h)`` -> ``(B,H,L,h)``, empty."""
        known = _known(mask, len(q_BHLh), q_BHLh.shape[2], k_BGSh.shape[2])
        if known is None:
            self._recording.unknown.add(f"{self._part.path}, a {type(mask).__name__} mask")
        else:
            sizes = {
                "batch": q_BHLh.shape[0],
                "num_heads": q_BHLh.shape[1],
                "num_kv_heads": k_BGSh.shape[1],
                "head_dim": q_BHLh.shape[3],
                "num_queries": q_BHLh.shape[2],
                "num_keys": k_BGSh.shape[2],
                **mask_sizes(known),
            }
            self._recording.calls[_call(self._part, sizes, q_BHLh.dtype)] += 1
        return torch.empty_like(q_BHLh)


class RecordingPooling:
    """Stands for a pooling part.

    Args:
        part: That it stands for.
        recording: Where it remembers.
    """

    __plm_kind__ = "pooling"

    def __init__(self, part: Part, recording: Recording) -> None:
        self._part, self._recording = part, recording

    def __call__(
        self, tokens_BNC: Tensor, grid: Grid, window: int, activation: str = "none"
    ) -> Tensor:
        """``(B, h*w, C)`` -> ``(B, (h/window)*(w/window), C)``, empty."""
        batch, _, channels = tokens_BNC.shape
        sizes: dict[str, int | str] = {
            "batch": batch,
            "grid_height": grid.h,
            "grid_width": grid.w,
            "channels": channels,
            "window": window,
            "activation": activation,
        }
        self._recording.calls[_call(self._part, sizes, tokens_BNC.dtype)] += 1
        pooled = (grid.h // window) * (grid.w // window)
        return tokens_BNC.new_empty(batch, pooled, channels)


def _call(part: Part, sizes: dict[str, int | str], dtype: torch.dtype) -> Call:
    return Call(part.path, part.kind, tuple(sizes.items()), dtype)


def _known(mask: Mask, batch: int, num_queries: int, num_keys: int) -> Mask | None:
    """The mask with its values; a cache on meta is filled evenly, up to the new positions."""
    if isinstance(mask, CausalCached) and mask.lengths_B.is_meta:
        return CausalCached(torch.full((batch,), num_keys - num_queries))
    if isinstance(mask, Documents) and mask.cu_seqlens.is_meta:
        return None
    return mask
