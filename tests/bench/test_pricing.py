"""What a kernel is worth in the whole: shares and savings, by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from plm_components.bench.blank import blank_record
from plm_components.bench.composition import bench
from plm_components.bench.entrant import Entrant
from plm_components.bench.hardware import hardware
from plm_components.bench.operation import Contender, Operation
from plm_components.bench.pricing import Price, price
from plm_components.bench.pricing_text import seconds, sentences, worth
from plm_components.bench.record import Record, Verdict
from plm_components.bench.roofline import Roofline
from plm_components.bench.tuning import tune
from plm_components.bench.use import Use
from plm_components.bench.workload import Workload, workload
from plm_components.errors import UnknownComponentError, UsageError
from plm_components.measured import read_table

# 1 GFLOP/s and 1 GB/s: what is at the roofline takes as long as it is large
ROOFLINE = Roofline(1e9, 1e9)


def record(use: Use, part: str, *times_s: float, fast: bool = False) -> Record:
    contender = Contender(
        part, "plm-components", "1", lambda _: torch.relu, "fast" if fast else "exact"
    )
    entrant = Entrant(contender, Verdict(1.0, 1.0, 1.0), None)
    blank = blank_record(use.operation, entrant, "cpu", ROOFLINE, {})
    return replace(blank, rounds_s=times_s)


def two(work: Workload) -> list[list[Record]]:
    """The spec's attention takes 3 ms a call, another 1 ms, a fast one half of that."""
    return [
        [
            record(use, "attention/sdpa", 2e-3, 3e-3, 9e-3),
            record(use, "attention/other", 1e-3),
            record(use, "attention/quick", 5e-4, fast=True),
        ]
        if use.operation.kind == "attention"
        else []
        for use in work.uses
    ]


def test_a_stage_that_was_measured_is_what_was_measured() -> None:
    work = workload("plm-tiny", "1tile")
    whole = {"encode": 0.05, "project": 0.01, "prefill": 0.04, "decode": 0.02}
    found = price(work, two(work), ROOFLINE, whole)  # type: ignore[arg-type]
    assert found.whole_s == pytest.approx(0.1)
    encode = found.stages[0]
    assert (encode.total_s, encode.is_measured) == (0.05, True)
    assert found.share(encode) == pytest.approx(0.5)
    assert found.share(found.stages[3]) is None
    # four layers of 3 ms
    assert encode.kernels_s == pytest.approx(4 * 3e-3)
    told = list(sentences(found))
    assert told[:3] == [
        "encode: 50 ms in all (measured), 50.0 % of the time to the first token; 24.0 % of it in "
        "attention/sdpa 4 x 3 ms",
        "  attention/other in vision_encoder.attention saves 16.0 % of it, 8.0 % of the time to "
        "the first token",
        "  attention/quick in vision_encoder.attention, less precise (fast), saves 20.0 % of it, "
        "10.0 % of the time to the first token",
    ]
    assert told[-3:-1] == [
        "decode: 20 ms a token (measured); 60.0 % of it in attention/sdpa 4 x 3 ms",
        "  attention/other in decoder.block.attention saves 40.0 % of it",
    ]


def test_a_stage_that_was_not_is_kernels_and_the_rest_at_the_roofline() -> None:
    work = workload("plm-tiny", "1tile")
    found = price(work, two(work), ROOFLINE)
    encode = found.stages[0]
    rest_s = work.rest["encode"].least_s(1e9, 1e9)
    assert encode.total_s == pytest.approx(4 * 3e-3 + rest_s)
    assert not encode.is_measured
    heading, first, *_ = sentences(found)
    assert heading.startswith("Estimates: kernels as measured, everything else at the roofline")
    assert "(an estimate)" in first
    # the whole projector was not benched, and its kernel was not either
    project = found.stages[1]
    kernel, whole = project.priced
    assert (kernel.use.is_kernel, whole.use.is_kernel) == (True, False)
    least_s = ROOFLINE.least_s(kernel.use.operation.work)
    assert project.total_s == pytest.approx(least_s + work.rest["project"].least_s(1e9, 1e9))


def test_a_difference_within_the_spread_is_no_saving() -> None:
    work = workload("plm-tiny", "decode")
    attention, _ = work.uses
    own = record(attention, "attention/sdpa", 1e-3, 2e-3, 3e-3)
    almost = record(attention, "attention/other", 1.5e-3, 1.5e-3, 1.5e-3)
    one, _ = price(work, [[own, almost], []], ROOFLINE).of(attention)
    assert one.best("exact") is None
    clearly = record(attention, "attention/other", 5e-4, 5e-4, 5e-4)
    one, _ = price(work, [[own, clearly], []], ROOFLINE).of(attention)
    assert one.best("exact") is clearly


def projectors(work: Workload, *whole: Record, kernel: tuple[Record, ...] = ()) -> Price:
    """A price with the projector alone measured, and its pooling if that is given."""
    found = [
        whole if use.operation.kind == "projector" else kernel if use.stage == "project" else ()
        for use in work.uses
    ]
    return price(work, found, ROOFLINE)


def test_a_whole_projector_that_was_measured_is_its_stage() -> None:
    work = workload("plm-tiny", "1tile")
    (use,) = [one for one in work.uses if one.operation.kind == "projector"]
    own = record(use, use.part, 1.9e-4, 2e-4, 2.1e-4)
    better, worse = record(use, "projector/better", 1.5e-4), record(use, "projector/worse", 3e-4)
    much, near = record(use, "projector/much", 7e-4), record(use, "projector/near", 2.05e-4)
    found = projectors(work, own, better, worse, much, near)
    one, project = found.of(use)
    assert (project.total_s, project.is_measured) == (pytest.approx(2e-4), True)
    assert [worth(project, one, each) for each in (own, better, worse, much, near)] == [
        "",
        "saves 25.0 % of project",
        "costs +50.0 % of project",
        "makes project 3.50x as long",
        "within the spread",
    ]
    told = list(sentences(found))
    (first,) = [line for line in told if line.startswith("project: ")]
    assert first.startswith("project: 200 µs in all (measured), ")
    # nobody timed the kernel inside
    assert first.endswith("(at the roofline)")
    assert any(
        line.startswith("  projector/better in projector saves 25.0 % of it") for line in told
    )


def test_a_kernel_is_never_more_than_the_whole_that_holds_it() -> None:
    work = workload("plm-tiny", "1tile")
    kernel, whole = [one for one in work.uses if one.stage == "project"]
    pooling = (record(kernel, kernel.part, 4e-4), record(kernel, "pooling/none", 1e-9))
    found = projectors(work, record(whole, whole.part, 2e-4), kernel=pooling)
    one, project = found.of(kernel)
    assert project.total_s == pytest.approx(2e-4)
    assert worth(project, one, pooling[1]) == "saves 100.0 % of project"
    told = "\n".join(sentences(found))
    assert f"up to all of it in {kernel.part} 1 x 400 µs, timed alone" in told
    assert "pooling/none in projector.pooling saves 100.0 % of it" in told


def test_layers_that_were_measured_leave_what_stands_around_them_to_be_estimated() -> None:
    work = workload("plm-tiny", "decode")
    _, block = work.uses
    own = record(block, block.part, 1e-2)
    found = price(work, [two(work)[0], [own]], ROOFLINE)
    one, decode = found.of(block)
    # embeddings, the last norm and the logits
    inside_s = work.inside[block.stage, block.path].least_s(1e9, 1e9)
    around_s = work.rest["decode"].least_s(1e9, 1e9) - inside_s
    assert 0 < around_s < inside_s
    assert decode.total_s == pytest.approx(block.times * 1e-2 + around_s)
    assert decode.estimated_s == pytest.approx(around_s)
    assert not decode.is_measured
    told = list(sentences(found))
    assert "of it measured, the rest an estimate)" in told[1]
    assert worth(decode, one, own) == ""
    # a layer's gradients are those of its input alone, which is no training step
    gradients = workload("plm-tiny", "prefill", backward=True)
    _, layer = gradients.uses
    estimated = price(gradients, [[], [record(layer, layer.part, 5.0)]], ROOFLINE).stages[0]
    assert estimated.total_s < 5.0 * layer.times
    (_, first) = sentences(Price((estimated,), backward=True))
    assert "(an estimate)" in first


def test_a_slower_part_in_the_whole_costs() -> None:
    work = workload("plm-tiny", "1tile")
    whole = {"encode": 0.05, "project": 0.01, "prefill": 0.04, "decode": 0.02}
    use = work.uses[0]
    own, slow = record(use, use.part, 1e-3), record(use, "attention/slow", 2e-3)
    found = price(work, [[own, slow], *[[] for _ in work.uses[1:]]], ROOFLINE, whole)  # type: ignore[arg-type]
    one, encode = found.of(use)
    assert worth(encode, one, slow) == "costs +8.0 % of encode"


def test_with_gradients_the_rest_has_its_backward_too() -> None:
    work = workload("plm-tiny", "1tile", backward=True)
    found = price(work, two(work), ROOFLINE)
    encode = found.stages[0]
    assert encode.total_s == pytest.approx(4 * 3e-3 + 3 * work.rest["encode"].least_s(1e9, 1e9))
    heading, first, *_ = sentences(found)
    assert "its backward as twice the forward" in heading
    assert "% of forward and backward;" in first
    assert [stage.stage for stage in found.stages] == ["encode", "project", "prefill"]


def test_only_one_stage_has_no_time_to_the_first_token() -> None:
    work = workload("plm-tiny", "prefill")
    found = price(work, two(work), ROOFLINE)
    assert [stage.stage for stage in found.stages] == ["prefill"]
    assert found.whole_s is None
    assert "first token" not in "".join(sentences(found))


def test_a_part_without_a_time_saves_nothing_and_is_told() -> None:
    work = workload("plm-tiny", "decode")
    attention, block = work.uses
    refused = replace(record(attention, "attention/sdpa"), verdict=None, refused="not here")
    other = record(attention, "attention/other", 1e-3)
    found = price(work, [[refused, other], []], ROOFLINE)
    one, stage = found.of(attention)
    assert (one.is_measured, one.saved_s(other), one.saved_s(refused)) == (False, None, None)
    assert list(sentences(found))[2] == (
        "  attention/sdpa got no time, so attention/decode is taken at the roofline"
    )
    assert found.of(block)[1] is stage
    untimed = record(block, block.part)
    told = list(sentences(price(work, [[], [untimed]], ROOFLINE)))
    assert f"  {block.part} got no time, so decoder_block/decode is priced by what it holds" in told


def test_seconds_have_three_digits_and_a_unit() -> None:
    told = [seconds(value) for value in (12.345, 1.5e-3, 2.5e-5, 3e-9)]
    assert told == ["12.3 s", "1.5 ms", "25 µs", "3 ns"]


def test_a_table_holds_what_passed_and_got_a_time(tmp_path: Path) -> None:
    work = workload("plm-tiny", "1tile")
    records = [one for found in two(work) for one in found]
    untimed = replace(records[0], part="attention/eager", rounds_s=())
    chooser = replace(records[0], part="attention/auto")
    elsewhere = replace(records[0], part="attention/plm-components:flex", mode="warm")
    machine = hardware("cpu")
    given = [*records, untimed, chooser, elsewhere]
    tune(tmp_path / "table.json", given, machine, mode="cpu")
    table = read_table(tmp_path / "table.json")
    assert table.machine == machine.machine
    assert {row.part for row in table.rows} == {
        "attention/sdpa",
        "attention/other",
        "attention/quick",
    }
    (vision,) = [row for row in table.rows if row.mask == "Full" and row.part == "attention/sdpa"]
    assert (vision.median_s, vision.num_keys, vision.dtype) == (3e-3, 65, "bfloat16")


def test_nothing_measured_writes_no_table(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No attention part got a time"):
        tune(tmp_path / "table.json", [], hardware("cpu"), mode="cpu")
    assert not (tmp_path / "table.json").exists()


def test_only_what_was_asked_for_is_benched() -> None:
    told: list[str] = []
    found = bench(
        "plm-tiny",
        "prefill",
        dtype="float32",
        only=["attention/eager"],
        time_s=0.01,
        on_progress=told.append,
    )
    parts = {one.part for one in found.all_records}
    # the oracle, and what the spec names
    assert parts == {"attention/eager", "attention/sdpa"}
    assert [bool(records) for records in found.records] == [True, False]
    assert told[0] == "the shapes of the composition"
    with pytest.raises(UsageError, match="'atention' is no kind of part"):
        bench("plm-tiny", "prefill", only=["atention"])
    with pytest.raises(UnknownComponentError, match="No attention is named 'egar'"):
        bench("plm-tiny", "prefill", only=["attention/egar"])


def test_a_part_is_chosen_by_the_name_that_the_table_has(monkeypatch) -> None:
    asked: list[list[str]] = []

    def measure(operation: Operation, parts: list[Contender], **_: object) -> list[Record]:
        asked.append([one.part for one in parts])
        return []

    monkeypatch.setattr("plm_components.bench.composition.measure", measure)
    monkeypatch.setattr("plm_components.bench.composition.measure_roofline", lambda *_: ROOFLINE)

    def parts(only: str) -> list[str]:
        bench("plm-tiny", "1tile", only=[only])
        return asked.pop()

    oracle = "projector/avg_pool_mlp (order=pool_last, pooling=adaptive)"
    spec = "projector/avg_pool_mlp (order=pool_first, pooling=mean)"
    one = "projector/avg_pool_mlp (order=pool_last, pooling=mean)"
    assert parts(spec) == [oracle, spec]
    assert parts(one) == [oracle, one, spec]
    every = parts("projector/avg_pool_mlp")
    assert {oracle, spec, one} < set(every)
    assert all(part.startswith("projector/avg_pool_mlp (") for part in every)
    # as a spec may write it, too
    assert parts("projector/plm-components:avg_pool_mlp") == every
    with pytest.raises(UsageError, match="competes as 'projector/avg_pool_mlp"):
        bench("plm-tiny", "1tile", only=["projector/avg_pool_mlp (pooling=max)"])


def test_the_whole_is_measured_where_it_is_asked_for() -> None:
    found = bench("plm-tiny", "1tile", dtype="float32", only=["pooling"], time_s=0.01, whole=True)
    assert all(stage.is_measured and stage.total_s > 0 for stage in found.price.stages)
    kernel, stage = found.price.of(found.work.uses[1])
    assert kernel.use.operation.kind == "pooling"
    assert kernel.total_s < stage.total_s
    with pytest.raises(UsageError, match="measured forward"):
        bench("plm-tiny", "1tile", whole=True, backward=True)
