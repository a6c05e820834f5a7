"""What a directory of another format says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from plm_components.checkpoints.source import TensorSource


@dataclass(frozen=True)
class Published:
    """A checkpoint of another format, as a spec.

    Args:
        spec: Plain data that ``resolve`` takes; its ``weights:`` names the checkpoint.
        dtype: What to load the weights in: what its configuration says, or what they are in.
        notes: What was left aside, or where two readers of the format differ, in words.
    """

    spec: dict[str, Any]
    dtype: str
    notes: tuple[str, ...] = ()


def stored_dtype(source: TensorSource, name: str) -> str:
    """The dtype of one tensor, through the memory map; fp32 where it is missing or no float."""
    if name not in source.shapes:
        return "float32"
    _, tensor = next(iter(source.read([name])))
    return str(tensor.dtype).removeprefix("torch.") if tensor.is_floating_point() else "float32"
