"""A measured composition as tables and sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median
from typing import TYPE_CHECKING, Any

from plm_components.cli.output import print_table

if TYPE_CHECKING:
    from plm_components.bench.ab import Compared
    from plm_components.bench.composition import Benched
    from plm_components.bench.pricing import Priced, StagePrice
    from plm_components.bench.record import Record

HEADER = ("part", "median", "±", "speed", "TFLOP/s", "GB/s", "of roofline", "error", "saves")


def print_benched(found: Benched) -> None:
    """Everything a person wants to know, the price of the whole last."""
    from plm_components.bench.pricing import sentences

    for line in _heading(found):
        print(line)
    for use, records in zip(found.work.uses, found.records, strict=True):
        for mode in found.modes if records else ():
            own = [record for record in records if record.mode == mode]
            _print_operation(*found.price.of(use), mode, own)
    print()
    for line in sentences(found.price):
        print(line)


def _heading(found: Benched) -> Iterator[str]:
    work, machine = found.work, found.hardware
    unit = "frame" if "frame" in work.request.text else "tile"
    seen = f"{work.request.num_tiles} {unit}{'s' * (work.request.num_tiles != 1)}"
    yield f"{work.spec}, {work.request.text}: {seen}, a prompt of {work.context:,} positions"
    yield f"{machine.machine}, torch {machine.torch}; measured roofline: {_roofline(found)}"
    for note in work.notes:
        yield f"note: {note}"


def _roofline(found: Benched) -> str:
    flops, moved = found.roofline.flops_per_s, found.roofline.bytes_per_s
    return f"{flops / 1e12:.3g} TFLOP/s, {moved / 1e9:.3g} GB/s"


def _print_operation(
    priced: Priced, stage: StagePrice, mode: str, records: Sequence[Record]
) -> None:
    use = priced.use
    sizes = ", ".join(f"{name} {size}" for name, size in use.operation.sizes.items())
    gradients = " with gradients" if use.operation.backward else ""
    print(f"\n{use.operation.name}{gradients}, {use.times} x in {use.path} ({mode})\n  {sizes}")
    timed = sorted((one for one in records if one.rounds_s), key=lambda one: median(one.rounds_s))
    if timed:
        print_table(HEADER, [_row(one, priced, stage, records) for one in timed])
    for record in records:
        if record.refused is not None:
            # most reasons begin with the name; what somebody else raised does not
            named = record.refused.startswith(record.part)
            print("  refused: " + ("" if named else f"{record.part}: ") + record.refused)
        elif record.verdict is not None and record.verdict.fault is not None:
            print(f"  wrong: {record.part}: {record.verdict.fault}")


def _row(
    record: Record, priced: Priced, stage: StagePrice, records: Sequence[Record]
) -> tuple[str, ...]:
    from plm_components.bench.pricing import seconds
    from plm_components.bench.spread import deviation

    own_s = median(record.rounds_s)
    oracle = next((one for one in records if one.part == record.oracle and one.rounds_s), None)
    marks = [
        *(["spec"] if record.part == priced.use.part else []),
        *(["oracle"] if record.part == record.oracle else []),
        *(["fast"] if record.precision == "fast" else []),
    ]
    saved_s = priced.saved_s(record) if record.mode == priced.records[0].mode else None
    return (
        record.part + (f" [{', '.join(marks)}]" if marks else ""),
        seconds(own_s),
        seconds(deviation(record.rounds_s)),
        f"{median(oracle.rounds_s) / own_s:.2f}x" if oracle else "",
        f"{record.flops / own_s / 1e12:.3g}",
        f"{record.bytes / own_s / 1e9:.3g}",
        f"{100 * record.roofline_s / own_s:.0f} %" if record.roofline_s else "",
        f"{record.verdict.largest:.2f}x" if record.verdict else "",
        "" if saved_s is None else f"{100 * saved_s / stage.total_s:+.1f} % of {stage.stage}",
    )


def benched_to_dict(found: Benched) -> dict[str, Any]:
    """The same for a program: every record whole, every stage with its share."""
    from dataclasses import asdict

    from plm_components.bench.plain_data import record_to_plain

    work = found.work
    operations = [
        {
            "operation": use.operation.name,
            "stage": use.stage,
            "path": use.path,
            "part": use.part,
            "times": use.times,
            "sizes": dict(use.operation.sizes),
            "records": [record_to_plain(record) for record in records],
        }
        for use, records in zip(work.uses, found.records, strict=True)
    ]
    return {
        "spec": work.spec,
        "input": work.request.text,
        "tiles": work.request.num_tiles,
        "context": work.context,
        "notes": list(work.notes),
        "hardware": asdict(found.hardware),
        "roofline": asdict(found.roofline),
        "modes": list(found.modes),
        "operations": operations,
        "price": {
            "backward": work.backward,
            "seconds_but_decoding": found.price.whole_s,
            "stages": [_stage_to_dict(stage, found) for stage in found.price.stages],
        },
    }


def _stage_to_dict(stage: StagePrice, found: Benched) -> dict[str, Any]:
    costs = found.work.rest[stage.stage]
    return {
        "stage": stage.stage,
        "seconds": stage.total_s,
        "is_measured": stage.is_measured,
        "share": found.price.share(stage),
        "kernels_s": stage.kernels_s,
        "rest": {"flops": costs.flops, "bytes": costs.bytes},
        "savings": [
            {
                "operation": one.use.operation.name,
                "part": record.part,
                "saved_s": one.saved_s(record),
            }
            for one in stage.priced
            for record in one.records
            if one.saved_s(record) is not None
        ],
    }


def print_compared(parts: Sequence[str], found: Sequence[Compared]) -> None:
    """The second part beside the first, operation by operation."""
    print(f"{parts[1]} beside {parts[0]}")
    rows = [
        (
            one.use.operation.name,
            one.use.path,
            str(one.comparison or f"not compared: {one.refused}"),
        )
        for one in found
    ]
    print_table(("operation", "path", "finding"), rows)


def compared_to_dict(found: Sequence[Compared]) -> dict[str, Any]:
    """The same for a program."""
    return {"operations": [_compared_to_dict(one) for one in found]}


def _compared_to_dict(one: Compared) -> dict[str, Any]:
    from dataclasses import asdict

    use, compared = one.use, one.comparison
    return {
        "operation": use.operation.name,
        "path": use.path,
        "sizes": dict(use.operation.sizes),
        "finding": None if compared is None else compared.finding,
        "comparison": None if compared is None else asdict(compared),
        "refused": one.refused,
        "is_wrong": one.is_wrong,
    }
