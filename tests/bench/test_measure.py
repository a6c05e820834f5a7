"""Timing: a known duration is measured, rounds are interleaved, cheats of the clock are caught."""

from __future__ import annotations

import re
import sys
import time
from dataclasses import replace
from itertools import pairwise
from statistics import median

import gated_kernels as kernels
import pytest
import torch

from plm_components.bench.call import Call, as_tuple
from plm_components.bench.clock import spin
from plm_components.bench.limits import impossible, least_possible_s
from plm_components.bench.measure import MODES, examine_all, measure
from plm_components.bench.operation import Work
from plm_components.bench.roofline import Roofline
from plm_components.bench.rotation import Rotation
from plm_components.errors import UsageError

# a machine on which everything is possible, so that nothing is measured that a test does not need
ENDLESS = Roofline(flops_per_s=1e30, bytes_per_s=1e30)


def _measured(operation, *makers, budget_s=0.05, **options):
    records = measure(
        operation,
        [kernels.contender(maker) for maker in makers],
        budget_s=budget_s,
        roofline=options.pop("roofline", ENDLESS),
        **options,
    )
    return {(record.part, record.mode): record for record in records}


def _busy_for(seconds: float):
    """A kernel that takes as long as that, on the processor or on the device."""

    def busy(operation):
        def call(x, w):
            if x.is_cuda:
                spin(x.device, seconds)
                return kernels.plain(x, w)
            until = time.perf_counter() + seconds
            out = kernels.plain(x, w)
            while time.perf_counter() < until:
                pass
            return out

        return call

    return busy


def test_the_truth_is_worked_out_once_for_all_contenders(bench_device) -> None:
    operation, asked, told = kernels.gated(device=bench_device, trials=False), [], []

    def exact(x, w):
        asked.append(x.dtype)
        return operation.exact(x, w)

    counted = replace(operation, exact=exact)
    three = [kernels.contender(kernels.honest)] * 3
    examine_all(counted, three, on_progress=told.append)
    # normal, wide and large inputs
    assert asked == [torch.float64] * 3
    assert told == [f"gated: honest at the gate ({place}/3)" for place in (1, 2, 3)]


def test_a_known_duration_is_measured(bench_device) -> None:
    found = _measured(kernels.gated(8, 8, device=bench_device), _busy_for(0.004), budget_s=0.2)

    for record in found.values():
        # the fastest: what else the machine is doing only adds
        assert min(record.rounds_s) == pytest.approx(0.004, rel=0.03), record.mode


def test_every_mode_of_the_device_is_timed(bench_device) -> None:
    found = _measured(kernels.gated(device=bench_device), kernels.honest)

    assert [mode for _, mode in found] == list(MODES[bench_device.type])
    for record in found.values():
        assert record.refused is None
        assert record.verdict is not None
        assert record.verdict.fault is None
        assert len(record.rounds_s) >= 4
        assert all(seconds > 0 for seconds in record.rounds_s)
        assert {"prepare_s", "first_call_s", "warm_up_s", "steady", "clocks", "inputs"} <= set(
            record.conditions
        )
        assert (record.peak_bytes is None) == (bench_device.type == "cpu")


def test_forward_and_backward(bench_device) -> None:
    found = _measured(kernels.gated(device=bench_device, backward=True), kernels.honest)

    for record in found.values():
        assert record.backward
        assert record.verdict is not None
        assert record.verdict.fault is None, record.mode
        assert record.rounds_s, (record.mode, record.refused)


def test_no_graph_outlives_its_call() -> None:
    # a leaf belongs to the stream of the graph that holds it: a later capture would cross streams
    leaf = torch.ones(3, requires_grad=True)
    answer = as_tuple(Call(lambda x: x * 2, (0,))((leaf,), (torch.ones(3),)))

    assert [tensor.tolist() for tensor in answer] == [[2.0] * 3, [2.0] * 3]
    assert not any(tensor.requires_grad for tensor in answer)


def test_no_bad_contender_stops_the_others(bench_device) -> None:
    def breaks_later(operation):
        calls = []

        def call(x, w):
            calls.append(1)
            if len(calls) > 9:
                raise RuntimeError("worn out")
            return kernels.plain(x, w)

        return call

    def leaves(operation):
        return lambda x, w: sys.exit(0)

    def greedy(operation):
        # on a processor torch has no type of its own for this
        return lambda x, w: torch.empty(1 << 60)

    mode = MODES[bench_device.type][0]
    found = _measured(
        kernels.gated(device=bench_device),
        kernels.declines,
        kernels.fails,
        leaves,
        greedy,
        kernels.mutating,
        breaks_later,
        kernels.honest,
        modes=[mode],
    )

    fault = found["fails", mode].verdict.fault
    told = "gated (rows=33, columns=64): the first call raised ZeroDivisionError: oh no (seed "
    assert fault.startswith(told)
    assert "it called sys.exit" in found["leaves", mode].verdict.fault
    assert found["declines", mode].refused == "It does no gates."
    assert "an input was written to" in found["mutating", mode].verdict.fault
    assert "can't allocate memory" in found["greedy", mode].refused
    # behind the gate: while warming up, or while it was timed
    worn = found["breaks_later", mode].verdict.fault
    assert re.search("(warming up raised|while it was timed:) RuntimeError: worn out", worn)
    assert [part for (part, _), record in found.items() if record.rounds_s] == ["honest"]


@pytest.mark.parametrize("cheat", [kernels.after_the_gate, kernels.by_version_after_the_gate])
def test_a_cheat_that_waits_for_the_clock_is_caught(bench_device, cheat) -> None:
    mode = MODES[bench_device.type][0]
    found = _measured(kernels.gated(device=bench_device), cheat, modes=[mode])
    record = found[cheat.__name__, mode]

    assert record.verdict is not None
    assert record.verdict.fault is not None
    assert record.verdict.fault.startswith("in a timed round: output: ")
    assert record.rounds_s == ()


def test_inputs_written_to_in_a_timed_round_are_noticed(bench_device) -> None:
    def mutates_later(operation):
        calls = []

        def call(x, w):
            calls.append(1)
            out = kernels.plain(x, w)
            if len(calls) > 10:
                x.data.mul_(0.5)
            return out

        return call

    mode = MODES[bench_device.type][0]
    found = _measured(kernels.gated(device=bench_device), mutates_later, modes=[mode])
    assert found["mutates_later", mode].verdict.fault == (
        "an input was written to in a timed round"
    )


def test_a_time_below_the_roofline_is_no_time(bench_device) -> None:
    # as if this machine took a second for the least of it
    slow = Roofline(flops_per_s=8.0 * 33 * 64, bytes_per_s=1e30)
    found = _measured(kernels.gated(device=bench_device), kernels.honest, roofline=slow)

    for record in found.values():
        assert record.verdict is not None
        assert "this device cannot do that work in less than" in record.verdict.fault
        assert record.rounds_s == ()
        assert record.roofline_s == pytest.approx(1.0)


def test_bytes_count_only_where_no_cache_can_have_held_them() -> None:
    operation = kernels.gated()
    cached = type(operation)(**{**vars(operation), "work": Work(1.0, 1e6)})
    beyond = type(operation)(**{**vars(operation), "work": Work(1.0, 1e12)})
    roofline = Roofline(flops_per_s=1e12, bytes_per_s=1e10)

    assert least_possible_s(cached, 1000, "cpu", roofline) < 1e-9
    assert least_possible_s(beyond, 1000, "cpu", roofline) == pytest.approx(100 / 1.5, rel=0.01)
    # cold: the inputs at least
    assert least_possible_s(cached, 10**6, "cold", roofline) == pytest.approx(1e-4 / 1.5)
    assert impossible(1.0, 0.5) is None
    assert "was not done" in impossible(0.4, 0.5)


def test_rounds_of_one_block_belong_together(bench_device) -> None:
    order = []

    def spying(name):
        def spy(operation):
            def call(x, w):
                order.append(name)
                return kernels.plain(x, w)

            return call

        spy.__name__ = name
        return spy

    mode = MODES[bench_device.type][0]
    found = _measured(kernels.gated(device=bench_device), spying("a"), spying("b"), modes=[mode])
    rounds = len(found["a", mode].rounds_s)
    last = 5 * (bench_device.type == "cuda")  # asked once more after timing, whether it is done
    timed = order[: len(order) - 2 * last][-2 * rounds :]

    assert len(found["b", mode].rounds_s) == rounds
    for block in range(0, len(timed), 4):
        assert timed[block : block + 4] in (["a", "b", "b", "a"], ["b", "a", "a", "b"])


def test_compile_time_is_a_figure_of_its_own(bench_device) -> None:
    mode = MODES[bench_device.type][0]
    found = _measured(kernels.gated(device=bench_device), kernels.compiled_late, modes=[mode])
    record = found["compiled_late", mode]

    assert record.conditions["first_call_s"] > 0.05
    assert median(record.rounds_s) < 0.02


def test_a_mode_that_the_device_does_not_have_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="Nothing is timed 'cold' on a cpu"):
        measure(kernels.gated(), [], modes=["cold"], roofline=ENDLESS)


def test_the_gate_alone_gives_records_without_times(bench_device) -> None:
    makers = [kernels.honest, kernels.stale, kernels.declines]
    records = examine_all(
        kernels.gated(device=bench_device), [kernels.contender(maker) for maker in makers], seed=3
    )
    by_part = {record.part: record for record in records}

    assert by_part["honest"].verdict.fault is None
    assert by_part["stale"].verdict.fault is not None
    assert by_part["declines"].refused is not None
    assert not any(record.rounds_s for record in records)


def test_contents_change_under_every_call(bench_device) -> None:
    rotation = Rotation(kernels.gated(device=bench_device), 0, "warm")
    pointers, versions, values = set(), set(), []
    for fresh in (False, False, True, False):
        place = rotation.take(fresh=fresh)
        x = place.inputs[0]
        pointers.add(x.data_ptr())
        versions.add(x._version)
        values.append(float(x[0, 0]))
        assert place.untouched
        rotation.give_back(place)

    assert len(pointers) == len(versions) == 1, "nothing to tell one round from another by"
    assert all(one != other for one, other in pairwise(values))
    assert values[2] not in (*values[:2], *values[3:]), "a round to be verified has its own"


def test_cold_inputs_do_not_fit_the_cache() -> None:
    if not torch.cuda.is_available():
        pytest.skip("the cold mode is a GPU's, and this machine has none")
    from plm_components.bench.caches import last_cache_bytes

    device = torch.device("cuda")
    rotation = Rotation(kernels.gated(2048, 2048, device=device), 0, "cold")

    assert len(rotation.sets) * rotation.set_bytes > 3 * last_cache_bytes(device)
    small = Rotation(kernels.gated(device=device), 0, "cold")
    assert "caches read over before each call" in small.how


def test_what_cannot_be_captured_is_refused_in_graph_mode_only() -> None:
    if not torch.cuda.is_available():
        pytest.skip("graphs are a GPU's, and this machine has none")

    def waits(operation):
        def call(x, w):
            float(x.sum())
            return kernels.plain(x, w)

        return call

    found = _measured(kernels.gated(device="cuda"), waits, kernels.honest)

    assert "cannot be captured in a CUDA graph" in found["waits", "graph"].refused
    assert found["waits", "cold"].rounds_s
    assert found["honest", "graph"].rounds_s, "a failed capture does not spoil the next one"


def test_launches_are_hidden_on_a_gpu() -> None:
    if not torch.cuda.is_available():
        pytest.skip("launches are a GPU's, and this machine has none")
    found = _measured(kernels.gated(device="cuda"), kernels.honest, modes=["cold", "warm"])

    for record in found.values():
        assert record.conditions["launch_hidden"] > 0.9, record.mode


def test_calls_one_by_one_and_in_a_graph_take_as_long_where_launches_are_nothing() -> None:
    if not torch.cuda.is_available():
        pytest.skip("graphs are a GPU's, and this machine has none")
    operation = kernels.gated(8192, 4096, device="cuda", trials=False)
    found = _measured(operation, kernels.honest, modes=["cold", "graph"], budget_s=0.3)
    cold, graph = (median(found["honest", mode].rounds_s) for mode in ("cold", "graph"))

    assert cold == pytest.approx(graph, rel=0.1)
