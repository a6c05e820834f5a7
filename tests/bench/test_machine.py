"""What is said of the machine: clocks, pins, caches, and the bounds that were measured."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from plm_components.bench.caches import last_cache_bytes, last_level
from plm_components.bench.clock import CudaClock, cpu_clock, spin
from plm_components.bench.nvml import Gpu, NvmlError, throttling
from plm_components.bench.operation import Work
from plm_components.bench.pinning import distinct_cores, pinned
from plm_components.bench.roofline import Roofline, measure_roofline
from plm_components.bench.weather import GpuWeather, weather


class FakeDriver:
    """Answers as libnvidia-ml does: a code, and numbers through pointers."""

    def __init__(self, reasons: int = 0) -> None:
        self.reasons = reasons
        self.uuids: list[bytes] = []

    def nvmlInit_v2(self) -> int:
        return 0

    def nvmlDeviceGetHandleByUUID(self, uuid: bytes, handle) -> int:
        self.uuids.append(uuid)
        return 0 if b"known" in uuid else 6

    def nvmlDeviceGetClockInfo(self, handle, which, number) -> int:
        number._obj.value = 1755
        return 0

    def nvmlDeviceGetMaxClockInfo(self, handle, which, number) -> int:
        number._obj.value = 1980
        return 0

    def nvmlDeviceGetTemperature(self, handle, which, number) -> int:
        number._obj.value = 61
        return 0

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, handle, bits) -> int:
        bits._obj.value = self.reasons
        return 0

    def nvmlSystemGetDriverVersion(self, text, size) -> int:
        ctypes.memmove(text, b"580.95.05", 10)
        return 0


def test_the_driver_is_asked_by_the_uuid_of_torch() -> None:
    driver = FakeDriver()
    chip = Gpu("known-1", driver)

    assert driver.uuids == [b"GPU-known-1"]
    assert (chip.clock_mhz, chip.most_mhz, chip.celsius) == (1755, 1980, 61)
    assert chip.driver == "580.95.05"
    with pytest.raises(NvmlError, match="nvmlDeviceGetHandleByUUID answers 6"):
        Gpu("another", driver)


def test_throttling_is_told_with_its_share_of_looks() -> None:
    sky = GpuWeather(Gpu("known", FakeDriver(reasons=0x4 | 0x40)))
    assert sky.told() == {"clocks": "unknown: nobody looked"}
    sky.look()
    told = sky.told()

    assert told["throttled"] == {"power cap": 1.0, "thermal, by hardware": 1.0}
    assert told["clocks"]["sm_mhz"] == [1755, 1755]
    assert throttling(0x1 | 0x2) == (), "idle and clocks set by an application are no throttling"
    assert throttling(0x1000) == ("0x1000",)


def test_the_weather_of_this_device_is_known_or_says_why_not(bench_device) -> None:
    sky = weather(bench_device)
    sky.look()
    clocks = sky.told()["clocks"]

    if isinstance(clocks, str):
        assert clocks.startswith("unknown: ")
    else:
        assert 100 < clocks["sm_mhz"][0] <= clocks["sm_most_mhz"]


def test_threads_are_pinned_and_given_back() -> None:
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("this system pins no threads")
    before, threads = os.sched_getaffinity(0), torch.get_num_threads()
    with pinned(torch.device("cpu")) as facts:
        held = os.sched_getaffinity(0)
        assert facts == {"threads": threads, "cores": sorted(held), "pinned": True}
        assert len(held) == min(threads, len(before))
        torch.set_num_threads(threads + 1)
    assert os.sched_getaffinity(0) == before
    assert torch.get_num_threads() == threads


def test_one_of_every_core_comes_before_its_siblings(tmp_path: Path) -> None:
    for cpu, siblings in enumerate(["0-1", "0-1", "2-3", "2-3"]):
        topology = tmp_path / f"cpu{cpu}" / "topology"
        topology.mkdir(parents=True)
        (topology / "thread_siblings_list").write_text(f"{siblings}\n")

    assert distinct_cores({0, 1, 2, 3}, None, tmp_path) == [0, 2, 1, 3]
    assert distinct_cores({0, 1, 2, 3}, 3, tmp_path) == [3, 0, 1, 2]
    assert distinct_cores({7, 9}, None, tmp_path) == [7, 9], "nobody tells: all count"


def test_every_last_cache_counts_once(tmp_path: Path) -> None:
    for cpu in range(4):
        half = "0-1" if cpu < 2 else "2-3"
        for level, shared, size in ((1, cpu, "48K"), (2, cpu, "2M"), (3, half, "32768K")):
            index = tmp_path / f"cpu{cpu}" / "cache" / f"index{level}"
            index.mkdir(parents=True)
            for name, value in (("level", level), ("shared_cpu_list", shared), ("size", size)):
                (index / name).write_text(f"{value}\n")

    assert last_level(tmp_path) == 64 << 20
    assert last_level(tmp_path / "cpu0") == 0, "nobody tells"


def test_the_roofline_bounds_what_a_product_and_a_copy_reach(bench_device) -> None:
    roofline = measure_roofline(bench_device, torch.float32)
    one = torch.randn(512, 512, device=bench_device)
    clock = CudaClock(bench_device) if bench_device.type == "cuda" else cpu_clock
    one @ one
    start = clock()
    one @ one
    seconds = clock() - start

    assert 1e9 < roofline.bytes_per_s < 1e14
    # a little above: this one product may meet a faster moment
    assert 2 * 512**3 / seconds < 1.5 * roofline.flops_per_s
    assert measure_roofline(bench_device, torch.float32) is roofline, "measured once"


def test_the_slower_of_both_bounds_counts() -> None:
    roofline = Roofline(flops_per_s=1e12, bytes_per_s=1e9)

    assert roofline.least_s(Work(flops=2e12, bytes=1e9)) == 2.0
    assert roofline.least_s(Work(flops=1e12, bytes=3e9)) == 3.0


def test_a_spin_is_as_long_as_it_was_asked_to_be() -> None:
    if not torch.cuda.is_available():
        pytest.skip("a GPU's stream is kept busy, and this machine has none")
    device = torch.device("cuda")
    clock, calls = CudaClock(device), CudaClock(device, calls=10)
    spin(device, 0.001)

    def spun(read: Callable[[], float]) -> float:
        start = read()
        spin(device, 0.005)
        return read() - start

    assert spun(clock) == pytest.approx(0.005, rel=0.02)
    assert spun(calls) == pytest.approx(0.0005, rel=0.02)
    assert last_cache_bytes(device) > 2**20


def test_a_spin_is_as_long_by_the_clock_on_the_wall() -> None:
    if not torch.cuda.is_available():
        pytest.skip("a GPU's stream is kept busy, and this machine has none")
    device = torch.device("cuda")
    spin(device, 0.001)
    torch.cuda.synchronize()
    clock, before = CudaClock(device), time.perf_counter()
    start = clock()
    spin(device, 0.1)
    seconds = clock() - start

    assert seconds == pytest.approx(time.perf_counter() - before, rel=0.02)
