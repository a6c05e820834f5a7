"""Benches every kernel that a composition runs, at its exact sizes, and prices the whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from plm_components.assembly import as_dtype
from plm_components.bench.contenders import contenders, names_of
from plm_components.bench.hardware import Hardware, hardware
from plm_components.bench.measure import MODES, measure
from plm_components.bench.operation import Contender
from plm_components.bench.pricing import Price, price
from plm_components.bench.record import Mode, Record
from plm_components.bench.requests import TEXT_TOKENS
from plm_components.bench.roofline import Roofline, measure_roofline
from plm_components.bench.use import Use
from plm_components.bench.whole import measure_stages
from plm_components.bench.workload import Workload, workload
from plm_components.errors import UsageError
from plm_components.zoo import KINDS, Zoo, default_zoo


@dataclass(frozen=True)
class Benched:
    """A composition's kernels, measured.

    Args:
        work: What a request runs.
        records: Of each use, in order; empty where it was left out.
        price: Of the whole request, by the first of the modes.
        roofline: Of the device.
        hardware: It was measured on.
        modes: In which it was measured.
    """

    work: Workload
    records: tuple[tuple[Record, ...], ...]
    price: Price
    roofline: Roofline
    hardware: Hardware
    modes: tuple[Mode, ...]

    @property
    def all_records(self) -> list[Record]:
        """Everything that was measured or refused."""
        return [record for found in self.records for record in found]


def bench(
    spec: str | Path | Mapping[str, Any],
    input: str,
    *,
    overrides: Sequence[str] = (),
    dtype: str | torch.dtype = "bfloat16",
    device: str | torch.device = "cpu",
    backward: bool = False,
    only: Sequence[str] = (),
    modes: Sequence[Mode] | None = None,
    time_s: float = 1.0,
    whole: bool = False,
    text_tokens: int = TEXT_TOKENS,
    zoo: Zoo | None = None,
    on_progress: Callable[[str], None] | None = None,
) -> Benched:
    """Times every registered part on every operation that a request runs.

    Args:
        spec: A shipped spec's name, a path, or a mapping.
        input: ``36tiles``, ``1tile``, ``32frames`` (any number), ``prefill`` or ``decode``.
        overrides: Edits such as ``projector.pool=4``.
        dtype: Of parameters and activations.
        device: Where to measure.
        backward: With gradients.
        only: Kinds, or parts: others are left out, but for an operation's oracle and what the
            spec names.
        modes: How to time; the first of the device's modes if None.
        time_s: Seconds of timed rounds for each part on each operation.
        whole: Whether stages of the whole model are measured too, with random weights.
        text_tokens: Positions of the prompt that are no media.
        zoo: Where parts are looked up; the default zoo if None.
        on_progress: Told what is being done.

    Raises:
        PlmError: as :func:`workload`; or nothing of ``only`` exists.
    """
    where_from, tell = zoo or default_zoo(), on_progress or (lambda _: None)
    chosen = _Chosen(only, where_from)
    if whole and backward:
        raise _forward_only()
    tell("the shapes of the composition")
    work = workload(
        spec,
        input,
        overrides=overrides,
        dtype=dtype,
        device=device,
        backward=backward,
        text_tokens=text_tokens,
        zoo=where_from,
    )
    where = torch.device(device)
    how = tuple(modes or MODES[where.type][:1])
    tell("the roofline of the device")
    roofline = measure_roofline(where, as_dtype(dtype))
    records = tuple(
        tuple(
            measure(
                use.operation,
                chosen.of(use),
                modes=how,
                budget_s=time_s,
                roofline=roofline,
                on_progress=tell,
            )
            if chosen.wants(use)
            else ()
        )
        for use in work.uses
    )
    stages = {}
    if whole:
        stages = measure_stages(
            spec,
            work,
            overrides=overrides,
            dtype=dtype,
            device=device,
            time_s=time_s,
            zoo=where_from,
            on_progress=tell,
        )
    first = [tuple(one for one in found if one.mode == how[0]) for found in records]
    return Benched(
        work, records, price(work, first, roofline, stages), roofline, hardware(where), how
    )


class _Chosen:
    """What is benched of everything that could be.

    Args:
        only: Kinds and parts, as somebody typed them; everything where there are none.
        zoo: What exists.

    Raises:
        UsageError: something is neither.
    """

    def __init__(self, only: Sequence[str], zoo: Zoo) -> None:
        self._zoo = zoo
        self._kinds = [word for word in only if "/" not in word]
        for kind in self._kinds:
            if kind not in KINDS:
                raise _no_kind(kind)
        self._parts = [name for word in only if "/" in word for name in _names(word, zoo)]

    def wants(self, use: Use) -> bool:
        """Whether anything of its kind was asked for."""
        kinds = [*self._kinds, *(part.partition("/")[0] for part in self._parts)]
        return not kinds or use.operation.kind in kinds

    def of(self, use: Use) -> list[Contender]:
        """Everybody, or the parts asked for beside the oracle and what the spec names."""
        everybody = contenders(use.operation, self._zoo)
        if use.operation.kind in self._kinds or not self._parts:
            return everybody
        beside = (use.operation.oracle, use.part)
        return [one for one in everybody if one.part in beside or one.part in self._parts]


def _names(word: str, zoo: Zoo) -> list[str]:
    """Of a part all its variants, or the one of them that was typed as a table prints it."""
    part, _, options = word.partition(" (")
    entry = zoo.get(*part.split("/", 1))
    names = names_of(entry, zoo)
    if not options:
        return names
    wanted = f"{entry.kind}/{zoo.spelling(entry)} ({options}"
    if wanted in names:
        return [wanted]
    raise UsageError(
        f"Nobody competes as {word!r}.",
        where="bench, only",
        expected=f"one of: {'; '.join(names)}",
        fix=f'--only "{names[0]}"',
    )


def _forward_only() -> UsageError:
    return UsageError(
        "The whole is measured forward, and gradients were asked for.",
        where="bench, whole",
        expected="one of the two",
        fix="leave --whole out: the price is an estimate then, or leave --backward out",
    )


def _no_kind(word: str) -> UsageError:
    return UsageError(
        f"{word!r} is no kind of part.",
        where="bench, only",
        expected=f"one of: {', '.join(KINDS)}; or a part such as attention/sdpa",
        fix="--only attention",
    )
