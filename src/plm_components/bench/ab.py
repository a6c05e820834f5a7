"""Two parts side by side on everything that a composition runs of their kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from plm_components.bench.compare import compare
from plm_components.bench.comparison import BUDGET, Comparison
from plm_components.bench.contenders import contenders
from plm_components.bench.operation import Contender, Operation
from plm_components.bench.record import Mode
from plm_components.bench.requests import TEXT_TOKENS
from plm_components.bench.use import Use
from plm_components.bench.workload import workload
from plm_components.errors import UnsupportedError, UsageError, WrongAnswerError
from plm_components.zoo import Zoo, default_zoo


@dataclass(frozen=True)
class Compared:
    """Two parts on one operation.

    Args:
        use: What the composition runs.
        comparison: What was found; None where one of them did not compete.
        refused: Why one did not compete, None where both did.
        is_wrong: Whether it gave a wrong answer, rather than being unable.
    """

    use: Use
    comparison: Comparison | None
    refused: str | None = None
    is_wrong: bool = False


def compare_parts(
    spec: str | Path | Mapping[str, Any],
    input: str,
    baseline: str,
    candidate: str,
    *,
    overrides: Sequence[str] = (),
    dtype: str | torch.dtype = "bfloat16",
    device: str | torch.device = "cpu",
    backward: bool = False,
    budget: float = BUDGET,
    mode: Mode | None = None,
    time_s: float = 1.0,
    text_tokens: int = TEXT_TOKENS,
    zoo: Zoo | None = None,
    on_progress: Callable[[str], None] | None = None,
) -> list[Compared]:
    """Says of each operation of their kind whether the candidate is slower or faster.

    Args:
        spec: A shipped spec's name, a path, or a mapping.
        input: As for :func:`workload`.
        baseline: Part such as ``attention/sdpa``.
        candidate: Part that is compared with it.
        overrides: Edits such as ``projector.pool=4``.
        dtype: Of parameters and activations.
        device: Where to measure.
        backward: With gradients.
        budget: What the candidate may be slower or faster by, as a fraction.
        mode: How to time; the first of the device's modes if None.
        time_s: Seconds of rounds for each.
        text_tokens: Positions of the prompt that are no media.
        zoo: Where parts are looked up; the default zoo if None.
        on_progress: Told what is being done.

    Raises:
        UsageError: parts of different kinds, or of one that the composition does not run.
        PlmError: as :func:`workload`.
    """
    where_from, tell = zoo or default_zoo(), on_progress or (lambda _: None)
    kind = _kind(baseline, candidate)
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
    uses = [use for use in work.uses if use.operation.kind == kind]
    if not uses:
        raise _none_of(kind, work.spec)
    found = []
    for use in uses:
        tell(f"{use.operation.name}: {candidate} beside {baseline}")
        pair = [_contender(use.operation, part, where_from) for part in (baseline, candidate)]
        found.append(_compared(use, *pair, budget=budget, mode=mode, budget_s=time_s))
    return found


def _compared(use: Use, baseline: Contender, candidate: Contender, **how: Any) -> Compared:
    try:
        return Compared(use, compare(use.operation, baseline, candidate, **how))
    except UnsupportedError as error:
        return Compared(use, None, error.what)
    except WrongAnswerError as error:
        return Compared(use, None, error.what, is_wrong=True)


def _contender(operation: Operation, part: str, zoo: Zoo) -> Contender:
    everybody = {one.part: one for one in contenders(operation, zoo)}
    if part not in everybody:
        raise UsageError(
            f"Nobody competes as {part!r} in {operation.name}.",
            where="bench.compare_parts",
            expected=f"one of: {', '.join(everybody)}",
            fix="choose one of these",
        )
    return everybody[part]


def _kind(baseline: str, candidate: str) -> str:
    kinds = {part.partition("/")[0] for part in (baseline, candidate)}
    if len(kinds) == 1:
        return kinds.pop()
    raise UsageError(
        f"{baseline} and {candidate} are of different kinds.",
        where="bench.compare_parts",
        expected="two parts of one kind",
        fix="--ab attention/eager attention/sdpa",
    )


def _none_of(kind: str, spec: str) -> UsageError:
    return UsageError(
        f"{spec} runs nothing of the kind {kind!r} that could be exchanged here.",
        where="bench.compare_parts",
        expected="a kind with operations: plm bench lists them",
        fix="--ab attention/eager attention/sdpa",
    )
