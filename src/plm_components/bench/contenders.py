"""Who competes: every registered part of an operation's kind, plugins' too, without an edit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from torch import Tensor

from plm_components.assembly.build import PartBuilder, placed
from plm_components.assembly.wiring import Surroundings
from plm_components.bench.operation import Contender, Function, Operation
from plm_components.bench.operations.masks import mask_of
from plm_components.contracts import Grid
from plm_components.errors import PlmError
from plm_components.spec import resolve_part, signature_of
from plm_components.zoo import Entry, Zoo, default_zoo


def contenders(operation: Operation, zoo: Zoo | None = None) -> list[Contender]:
    """Every registered part of the operation's kind, built with its sizes and default options.

    A part that cannot be used here is a contender too: it refuses with the zoo's reason.

    Args:
        operation: What they shall compute.
        zoo: Where parts are looked up; the default zoo if None.
    """
    where_from = zoo or default_zoo()
    if operation.kind not in _PREPARERS:
        return []
    return [_contender(entry, where_from) for entry in where_from.entries(operation.kind)]


def is_chooser(entry: Entry) -> bool:
    """Whether a part passes its calls to others: its time is theirs."""
    try:
        return bool(signature_of(entry.load(), entry.kind).candidates)
    except PlmError:
        return False


def _contender(entry: Entry, zoo: Zoo) -> Contender:
    def prepare(operation: Operation) -> Function:
        entry.load()  # says why, in the zoo's own words, where it cannot
        return _PREPARERS[entry.kind](operation, entry, zoo)

    return Contender(
        part=f"{entry.kind}/{zoo.spelling(entry)}",
        provider=entry.provider.distribution,
        version=entry.provider.edition,
        prepare=prepare,
        precision=_precision(entry),
    )


def _precision(entry: Entry) -> Literal["exact", "fast"]:
    try:
        support = getattr(entry.load(), "support", None)
    except PlmError:
        return "exact"
    return "fast" if getattr(support, "precision", "exact") == "fast" else "exact"


def _built(
    operation: Operation, entry: Entry, zoo: Zoo, wired_from: Mapping[str, Any], **options: Any
) -> Any:
    """A part as a spec would have it built: nested parts first, options checked."""
    value = {"type": entry.qualified, **options}
    part = resolve_part(entry.kind, value, zoo, path=entry.kind)
    with placed(operation.device, operation.dtype):
        return PartBuilder({}).build(part, Surroundings(part.path, enclosing=wired_from))


def _attention(operation: Operation, entry: Entry, zoo: Zoo) -> Function:
    sizes = operation.sizes
    heads = {name: sizes[name] for name in ("num_heads", "num_kv_heads", "head_dim")}
    kernel, mask = _built(operation, entry, zoo, heads), mask_of(sizes, operation.device)

    def attend(q_BHLh: Tensor, k_BGSh: Tensor, v_BGSh: Tensor) -> Tensor:
        out_BHLh: Tensor = kernel(q_BHLh, k_BGSh, v_BGSh, mask)
        return out_BHLh

    return attend


def _pooling(operation: Operation, entry: Entry, zoo: Zoo) -> Function:
    sizes = operation.sizes
    kernel = _built(operation, entry, zoo, {})
    grid = Grid(int(sizes["grid_height"]), int(sizes["grid_width"]))
    window, activation = sizes["window"], sizes["activation"]

    def pool(tokens_BNC: Tensor) -> Tensor:
        out_BMC: Tensor = kernel(tokens_BNC, grid, window, activation)
        return out_BMC

    return pool


_PREPARERS: dict[str | None, Callable[[Operation, Entry, Zoo], Function]] = {
    "attention": _attention,
    "pooling": _pooling,
}
