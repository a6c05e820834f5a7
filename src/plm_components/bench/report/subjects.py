"""What may stand in one chart: one operation, size, dtype, mode and machine, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from plm_components.bench.record import Mode, Record
from plm_components.bench.report.runs import Run
from plm_components.bench.report.standing import Standing, standings

Sizes: TypeAlias = tuple[tuple[str, int | str], ...]


@dataclass(frozen=True)
class Topic:
    """What one picture is about; its panels differ in size alone.

    Args:
        slug: Of the hardware.
        device: ``cpu`` or ``cuda``.
        mode: How it was timed.
        operation: What was computed.
        backward: Whether gradients were computed too.
        dtype: ``bfloat16``.
    """

    slug: str
    device: str
    mode: Mode
    operation: str
    backward: bool
    dtype: str

    @property
    def title(self) -> str:
        """``attention/prefill, forward and backward, bfloat16``."""
        direction = ", forward and backward" if self.backward else ""
        return f"{self.operation}{direction}, {self.dtype}"

    @property
    def stem(self) -> str:
        """Of its files."""
        direction = ["backward"] if self.backward else []
        words = [self.slug, self.mode, self.operation, *direction, self.dtype]
        return "-".join(word.replace("/", "-").replace(" ", "-") for word in words)


@dataclass(frozen=True)
class Panel:
    """One topic at one size, measured in one go: rounds of all of it were interleaved.

    Args:
        topic: What it is about.
        sizes: Of the operation; the second time that a run measured the same it says so.
        run: Where all of it was measured.
        standings: Who got a time, fastest first.
        wrong: Who competed and was wrong: no time.
        refused: Who did not compete.
    """

    topic: Topic
    sizes: Sizes
    run: Run
    standings: tuple[Standing, ...]
    wrong: tuple[Record, ...]
    refused: tuple[Record, ...]


def panels(runs: Iterable[Run]) -> list[Panel]:
    """Every panel of every run, in the order of the files."""
    return [
        _panel(topic, sizes, run, records)
        for run in runs
        for (topic, sizes), records in _sorted_out(run).items()
    ]


def latest(found: Sequence[Panel]) -> dict[Topic, list[Panel]]:
    """Of each subject the panel of its latest run, by topic."""
    newest: dict[tuple[Topic, Sizes], Panel] = {}
    for panel in sorted(found, key=lambda panel: panel.run.when):
        # where it stood first is where it stays
        newest[panel.topic, panel.sizes] = panel
    topics: dict[Topic, list[Panel]] = {}
    for panel in newest.values():
        topics.setdefault(panel.topic, []).append(panel)
    return topics


def several(found: Sequence[Panel]) -> dict[Topic, list[list[Panel]]]:
    """Of each subject that several runs measured its panels, oldest first, by topic."""
    rows: dict[tuple[Topic, Sizes], list[Panel]] = {}
    for panel in sorted(found, key=lambda panel: panel.run.when):
        rows.setdefault((panel.topic, panel.sizes), []).append(panel)
    topics: dict[Topic, list[list[Panel]]] = {}
    for (topic, _), row in rows.items():
        if len(row) > 1:
            topics.setdefault(topic, []).append(row)
    return topics


def shared_sizes(found: Sequence[Panel]) -> Sizes:
    """The sizes that all panels have in common: all of them where there is one panel."""
    first, *rest = (dict(panel.sizes) for panel in found)
    return tuple(
        (name, size)
        for name, size in first.items()
        if all(other.get(name) == size for other in rest)
    )


def own_sizes(panel: Panel, found: Sequence[Panel]) -> Sizes:
    """The sizes that tell a panel from the others of its topic."""
    common = shared_sizes([other for other in found if other.topic == panel.topic])
    return tuple(size for size in panel.sizes if size not in common)


def spelt(sizes: Sizes) -> str:
    """``tiles 36, channels 2048``."""
    return ", ".join(f"{name.replace('_', ' ')} {size}" for name, size in sizes)


def _sorted_out(run: Run) -> Mapping[tuple[Topic, Sizes], list[Record]]:
    goes: dict[tuple[Topic, Sizes, Any], list[Record]] = {}
    for one in run.records:
        topic = Topic(run.slug, one.device, one.mode, one.operation, one.backward, one.dtype)
        # who was measured together drew inputs from one seed
        go = topic, tuple(one.sizes.items()), one.conditions.get("seed")
        goes.setdefault(go, []).append(one)
    subjects: dict[tuple[Topic, Sizes], list[Record]] = {}
    times: Counter[tuple[Topic, Sizes]] = Counter()
    for (topic, sizes, _), records in goes.items():
        times[topic, sizes] += 1
        again: Sizes = (("measurement", times[topic, sizes]),) if times[topic, sizes] > 1 else ()
        subjects[topic, sizes + again] = records
    return subjects


def _panel(topic: Topic, sizes: Sizes, run: Run, records: Sequence[Record]) -> Panel:
    return Panel(
        topic=topic,
        sizes=sizes,
        run=run,
        standings=standings(records),
        wrong=tuple(one for one in records if one.verdict is not None and one.verdict.fault),
        refused=tuple(one for one in records if one.refused),
    )
