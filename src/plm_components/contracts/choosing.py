"""What a part that chooses among others is given, is asked, and says of its choice.

A constructor asks for every other part of a kind by annotation, after the star and without a
default: ``candidates: Annotated[Candidates, EveryPart("attention")]``. No spec can set it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import torch

from plm_components.contracts.masks import Mask


class Offer(Protocol):
    """A part that could be taken; nothing of it is imported yet."""

    @property
    def address(self) -> str:
        """``attention/sdpa``."""
        ...

    @property
    def distribution(self) -> str:
        """Where it comes from."""
        ...

    @property
    def version(self) -> str:
        """Of the distribution, or the beginning of a part file's hash; and of what it needs.

        ``0.1.0``, ``0.1.0 with flash-attn 2.8.3``: what a measurement is of.
        """
        ...

    @property
    def status(self) -> str:
        """``available``, or in one word why not."""
        ...

    @property
    def reason(self) -> str | None:
        """Why it is not available, or the devices it asks for."""
        ...

    def load(self) -> type[Any]:
        """Imports its class, which can be built from what its kind wires.

        Raises:
            PlmError: it cannot be used, or not without a spec that names it: it has options
                without defaults, nested parts, or chooses among others itself.
        """
        ...


# by qualified name, dist:name; never the part that asks
Candidates: TypeAlias = Mapping[str, Offer]


@dataclass(frozen=True)
class AttentionCall:
    """One call of an attention part, without its tensors.

    Args:
        mask: Class of the mask.
        batch: Rows.
        num_queries: Queries a row.
        num_keys: Keys a row.
        dtype: Of inputs and output.
        device: Where they are.
        backward: Whether gradients are wanted.
    """

    mask: type[Mask]
    batch: int
    num_queries: int
    num_keys: int
    dtype: torch.dtype
    device: torch.device
    backward: bool = False


@dataclass(frozen=True)
class Choice:
    """Which part was chosen, and why.

    Args:
        part: Its qualified name, ``plm-components:sdpa``.
        reason: Why, in words.
        passed_over: Others that came before it, each with why it was not taken.
    """

    part: str
    reason: str
    passed_over: tuple[str, ...] = ()

    def __str__(self) -> str:
        others = f" (passed over: {'; '.join(self.passed_over)})" if self.passed_over else ""
        return f"{self.part}, {self.reason}{others}"


@runtime_checkable
class ChoosesAttention(Protocol):
    """An attention part that passes each call to another; optional, and beyond ``Attention``."""

    def explain(self, call: AttentionCall) -> Choice:
        """What it would choose for a call, and why.

        Raises:
            UnsupportedError: nothing it may take can do this.
        """
        ...
