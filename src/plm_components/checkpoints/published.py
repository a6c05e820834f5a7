"""What a directory of another format says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Published:
    """A checkpoint of another format, as a spec.

    Args:
        spec: Plain data that ``resolve`` takes; its ``weights:`` names the checkpoint.
        dtype: Of the weights as the checkpoint says, or None where it does not.
        notes: What was left aside, or where two readers of the format differ, in words.
    """

    spec: dict[str, Any]
    dtype: str | None
    notes: tuple[str, ...] = ()
