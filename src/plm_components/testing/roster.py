"""Every check, by name and kind: the list a report walks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, TypeAlias

from plm_components.zoo.kinds import KINDS

if TYPE_CHECKING:
    from plm_components.testing.subject import Subject

CheckFunction: TypeAlias = Callable[["Subject"], None]

# where the checks live; imported (with torch) when they are first asked for
_MODULES = (
    "declaration",
    "importing",
    "modules",
    "compiling",
    "vision_encoder",
    "projector",
    "decoder",
    "decoder_block",
    "attention",
    "pooling",
    "tokenizer",
    "image_tiler",
    "frame_transform",
    "video_sampler",
    "video_reader",
)


@dataclass(frozen=True)
class Check:
    """One promise of a contract, as a function that raises Broken.

    Args:
        name: Name of the function.
        promise: First line of its docstring.
        kinds: Kinds that promise it.
        function: Takes a Subject.
        contract: Version of the contracts that promise it.
    """

    name: str
    promise: str
    kinds: tuple[str, ...]
    function: CheckFunction
    contract: int = 1


_CHECKS: list[Check] = []


def check(*kinds: str) -> Callable[[CheckFunction], CheckFunction]:
    """Declares a check for these kinds; none named means all."""

    def declare(function: CheckFunction) -> CheckFunction:
        promise = (function.__doc__ or "").strip().splitlines()[0].rstrip(".")
        name = getattr(function, "__name__", "")
        _CHECKS.append(Check(name, promise, kinds or tuple(KINDS), function))
        return function

    return declare


def checks_for(kind: str) -> list[Check]:
    """The checks of a kind, in the order a report shows them."""
    for module in _MODULES:
        import_module(f"plm_components.testing.checks.{module}")
    return [one for one in _CHECKS if kind in one.kinds]
