"""Files of measurements: what was written is read, also by pytest-benchmark's own command."""

from __future__ import annotations

import json
import math
import re
import statistics
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from pytest_benchmark.stats import Stats

from plm_components.bench.files import label, read, write
from plm_components.bench.hardware import hardware, slug
from plm_components.bench.record import Record, Verdict
from plm_components.bench.spread import deviation, stats
from plm_components.bench.tuning import tune_files
from plm_components.errors import MeasurementError

TIMED = Record(
    operation="attention/decode",
    kind="attention",
    sizes={"num_heads": 8, "mask": "Full"},
    dtype="bfloat16",
    device="cpu",
    backward=False,
    mode="cpu",
    part="attention/sdpa",
    provider="plm-components",
    version="0.1.0",
    precision="exact",
    verdict=Verdict(1.0, 1.1, 1.2, trials=7),
    refused=None,
    rounds_s=(0.002, 0.001, 0.0015, 0.004),
    flops=1e9,
    bytes=1e6,
    peak_bytes=None,
    roofline_s=0.0005,
    conditions={"threads": 1, "roofline": {"flops_per_s": 1e12, "bytes_per_s": 1e10}},
    oracle="attention/eager",
)
WRONG = replace(TIMED, part="x/y", rounds_s=(), verdict=Verdict(math.inf, 3.0, 4.0, "it is wrong"))
REFUSED = replace(TIMED, part="x/z", rounds_s=(), verdict=None, refused="it needs a GPU")


def test_what_was_written_is_read(tmp_path: Path) -> None:
    records = (TIMED, WRONG, REFUSED)
    write(tmp_path / "a.json", records, hardware("cpu"))
    found = read(tmp_path / "a.json")

    assert found.records == records
    assert found.hardware == hardware("cpu")
    assert re.match(r"\d{4}-\d\d-\d\dT.*\+00:00$", found.datetime)
    assert {"id", "dirty", "branch"} <= set(found.commit)


def test_a_file_is_strict_json_without_the_name_of_the_host(tmp_path: Path) -> None:
    write(tmp_path / "a.json", [TIMED, WRONG], hardware("cpu"))
    text = (tmp_path / "a.json").read_text()

    assert "Infinity" not in text
    assert "node" not in json.loads(text)["machine_info"]


def test_pytest_benchmark_compares_two_files(tmp_path: Path) -> None:
    write(tmp_path / "a.json", [TIMED, WRONG, REFUSED], hardware("cpu"))
    slower = replace(TIMED, rounds_s=tuple(2 * seconds for seconds in TIMED.rounds_s))
    write(tmp_path / "b.json", [slower], hardware("cpu"))
    command = [sys.executable, "-m", "pytest_benchmark", "compare", "a.json", "b.json"]
    run = subprocess.run(
        [*command, "--columns=median,rounds"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stderr
    assert label(TIMED) in run.stdout
    assert re.search(r"1\.7500 \(1\.0\)\s+4\b", run.stdout)
    assert re.search(r"3\.5000 \(2\.0+\)\s+4\b", run.stdout)
    assert "x/y" not in run.stdout, "what got no time is not compared"


def test_statistics_are_those_of_pytest_benchmark() -> None:
    seconds = [0.1 + 0.01 * (n * 37 % 101) for n in range(101)] + [9.0]
    theirs = Stats()
    for value in seconds:
        theirs.update(value)
    ours, wanted = stats(seconds), theirs.as_dict()

    assert set(wanted) <= set(ours)
    for key in ("min", "max", "mean", "stddev", "rounds", "median", "ops", "total"):
        assert ours[key] == pytest.approx(wanted[key])
    # quartiles have many definitions; these two agree to half a step between values
    for key in ("q1", "q3", "iqr"):
        assert ours[key] == pytest.approx(wanted[key], abs=0.01)
    assert ours["outliers"] == wanted["outliers"]


def test_one_round_has_no_spread() -> None:
    assert stats([0.5])["stddev"] == 0
    assert deviation([0.5]) == 0
    assert deviation([1.0, 2.0, 9.0]) == statistics.median([1, 0, 7])


def _with(**extra_info: object) -> str:
    benchmarks = [{"extra_info": extra_info}]
    return json.dumps(
        {"benchmarks": benchmarks, "machine_info": {}, "datetime": "", "commit_info": {}}
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"schema": 1, "hardware": {}, "rows": []}', "it lacks 'benchmarks'"),
        ('{"benchmarks": []}', "it lacks 'machine_info'"),
        (_with(), "its benchmarks are not of this package"),
        (_with(plm_bench={"operation": "x"}), "a record lacks kind"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "a.json").write_text(text)

    with pytest.raises(MeasurementError, match=why):
        read(tmp_path / "a.json")


def _edited(tmp_path: Path, **changes: object) -> Path:
    """A sound file in which somebody changed the first record."""
    write(tmp_path / "a.json", [TIMED], hardware("cpu"))
    data = json.loads((tmp_path / "a.json").read_text())
    data["benchmarks"][0]["extra_info"]["plm_bench"] |= changes
    (tmp_path / "edited.json").write_text(json.dumps(data))
    return tmp_path / "edited.json"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"rounds_s": [0.001, -1.0]}, "rounds_s"),
        ({"rounds_s": [0.001, 0.0]}, "rounds_s"),
        ({"rounds_s": ["0.001"]}, "rounds_s"),
        ({"rounds_s": [1e308]}, "rounds_s"),
        ({"refused": "it cannot"}, "did not pass the gate"),
        ({"verdict": None}, "did not pass the gate"),
        ({"verdict": {"largest": 1, "rms": 1, "decorrelation": 1, "fault": "wrong"}}, "the gate"),
        ({"verdict": {"largest": -1, "rms": 1, "decorrelation": 1}}, "largest is -1"),
        ({"mode": "graph"}, "nothing is timed 'graph' on 'cpu'"),
        ({"device": "cuda", "mode": "cold"}, "its records are of cuda, and it names a cpu"),
        ({"precision": "perfect"}, "its precision is 'perfect'"),
        ({"dtype": "../../bfloat16"}, "its dtype is"),
        ({"part": 7}, "its part is 7, not text"),
        ({"sizes": {"num_heads": [8]}}, "its sizes"),
        ({"flops": "1e9"}, "its flops"),
        ({"peak_bytes": True}, "its peak_bytes is True"),
        ({"conditions": {"roofline": "high"}}, "its roofline is 'high'"),
        ({"conditions": {"seed": []}}, "its seed is"),
    ],
)
def test_what_no_measurement_says_is_refused(tmp_path: Path, changes, why: str) -> None:
    with pytest.raises(MeasurementError, match=re.escape(why)):
        read(_edited(tmp_path, **changes))


@pytest.mark.parametrize(
    ("where", "value", "why"),
    [
        (("machine_info", "plm_bench", "slug"), "../../elsewhere", "its slug is"),
        (("machine_info", "plm_bench", "device"), ["cpu"], "its device is"),
        (("machine_info", "plm_bench", "threads"), 1e308, "its threads is"),
        (("datetime",), "yesterday", "yesterday"),
        (("plm_bench", "schema"), 2, "it is of schema 2"),
    ],
)
def test_a_file_that_no_run_wrote_is_refused(tmp_path: Path, where, value, why: str) -> None:
    file = _edited(tmp_path)
    data = place = json.loads(file.read_text())
    for key in where[:-1]:
        place = place[key]
    place[where[-1]] = value
    file.write_text(json.dumps(data))
    with pytest.raises(MeasurementError, match=re.escape(why)):
        read(file)


def test_no_table_is_made_of_calls_without_their_sizes(tmp_path: Path) -> None:
    with pytest.raises(MeasurementError, match=r"attention/decode of attention/sdpa has no batch"):
        tune_files(tmp_path / "table.json", [_edited(tmp_path)])


def test_an_unwritable_place_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MeasurementError, match="cannot be written"):
        write(tmp_path / "nowhere" / "a.json", [TIMED], hardware("cpu"))


def test_hardware_names_itself(bench_device) -> None:
    found = hardware(bench_device)

    assert found.slug == slug(found.slug)
    assert found.name.lower().split()[0] in found.slug
    assert found.cache_bytes > 2**20
    assert found.machine.name == found.name
    assert slug("NVIDIA H100 80GB HBM3") == "nvidia-h100-80gb-hbm3"
