"""``plm list`` and ``plm doctor`` say which parts no test has run on the hardware at hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from plm_components.cli.commands.list import is_untested
from plm_components.doctor import diagnosis
from plm_components.doctor.measurements import measurements
from plm_components.doctor.probes import Probe
from plm_components.measured import Machine, Row, Table, here, shipped_tables, write_table
from plm_components.zoo import Zoo, default_zoo
from plugin_dists import Site, registering

H200 = Machine("cuda", "NVIDIA H200", "2.14.0", 8)
ROW = Row(
    kind="attention",
    part="attention/own",
    provider="plm-own",
    version="1.0",
    mask="Full",
    dtype="bfloat16",
    backward=False,
    batch=1,
    num_heads=16,
    num_kv_heads=16,
    head_dim=64,
    num_queries=1024,
    num_keys=1024,
    median_s=1e-4,
    error=1.0,
)


@pytest.fixture
def own(site: Site) -> Site:
    """A plugin with a part for GPUs, one that also lacks a distribution, and one for all."""
    site.plugin(
        "plm_own",
        registering(
            "'attention', 'own', 'plm_own_parts:Own', requires=('cuda',)",
            "'attention', 'own_absent', 'plm_own_parts:Own', requires=('plm-nowhere', 'cuda')",
            "'attention', 'own_plain', 'plm_own_parts:Own'",
        ),
    )
    default_zoo.cache_clear()
    return site


@pytest.fixture
def gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver lists an H200."""
    folder = tmp_path / "gpus" / "0000:01:00.0"
    folder.mkdir(parents=True)
    (folder / "information").write_text("Model: \t NVIDIA H200\n")
    monkeypatch.setattr(here, "_NVIDIA", tmp_path / "gpus")


@pytest.fixture
def ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Makes the package ship one table."""
    folder = tmp_path / "tables"
    folder.mkdir()
    monkeypatch.setattr(shipped_tables, "_FOLDER", folder)
    shipped_tables.every_table.cache_clear()

    def write(row: Row = ROW, machine: Machine = H200) -> None:
        write_table(folder / "h200.json", Table(machine, (row,)))
        shipped_tables.every_table.cache_clear()

    yield write
    shipped_tables.every_table.cache_clear()


def listed(plm: Any) -> dict[str, str]:
    lines = plm("list", "attention").out.splitlines()
    return {line.split()[0]: " ".join(line.split()[1:]) for line in lines if "/own" in line}


@pytest.mark.usefixtures("own", "ships")
def test_a_part_for_a_device_is_untested_until_a_table_has_it(plm: Any) -> None:
    lines = listed(plm)

    assert lines["attention/own"] == "untested here plm-own 1.0 (needs cuda)"
    # what cannot be used at all says that first
    assert lines["attention/own_absent"].startswith("unavailable plm-own 1.0")
    assert lines["attention/own_plain"] == "available plm-own 1.0"
    told = {one["name"]: one for one in json.loads(plm("list", "attention", "--json").out)}
    assert [told[name]["untested_here"] for name in ("own", "own_absent", "own_plain")] == [
        True,
        True,
        False,
    ]
    assert told["own"]["status"] == "available"


@pytest.mark.usefixtures("own", "gpu")
@pytest.mark.parametrize(
    ("row", "machine", "state"),
    [
        ({}, {}, "available"),
        ({"version": "0.9"}, {}, "untested"),
        ({"provider": "plm-other"}, {}, "untested"),
        ({"part": "attention/other"}, {}, "untested"),
        ({}, {"name": "NVIDIA H100"}, "untested"),
        ({}, {"torch": "2.11.0", "threads": 1}, "available"),
    ],
)
def test_a_shipped_table_of_this_device_is_what_counts(
    plm: Any, ships: Callable[..., None], row: Any, machine: Any, state: str
) -> None:
    ships(replace(ROW, **row), replace(H200, **machine))

    assert listed(plm)["attention/own"].split()[0] == state


@pytest.mark.usefixtures("own", "gpu")
def test_our_own_parts_count_in_the_version_that_ships(ships: Callable[..., None]) -> None:
    own, *needed = Zoo.discover().get("attention", "xformers").edition.split(" ", 1)
    row = replace(ROW, part="attention/xformers", provider="plm-components")
    assert own != "0.0.1"
    ships(replace(row, version=" ".join(["0.0.1", *needed])))

    assert not is_untested(Zoo.discover().get("attention", "xformers"))
    assert is_untested(Zoo.discover().get("attention", "flash_attn"))
    ships(replace(row, version="0.0.1 with xformers 0.0.1"))
    assert is_untested(Zoo.discover().get("attention", "xformers"))


@pytest.mark.usefixtures("own", "gpu")
def test_a_damaged_table_proves_nothing(plm: Any, ships: Callable[..., None]) -> None:
    ships()
    (shipped_tables._FOLDER / "h200.json").write_text("{")
    shipped_tables.every_table.cache_clear()

    assert listed(plm)["attention/own"].startswith("untested here")


def _probe(names: tuple[str, ...], *, timeout_s: float) -> dict[str, Probe]:
    device = {"name": "NVIDIA H200", "memory_bytes": 2**37, "capability": "9.0"}
    facts = {"cuda_build": "13.2", "threads": 8, "devices": [device], "mps": False}
    return {
        name: Probe(name, "9.9", "ok", facts=facts if name == "torch" else {}) for name in names
    }


def doctor(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(diagnosis, "probe", _probe)
    monkeypatch.setattr(diagnosis, "_unmet", lambda *_: None)
    return {found.topic: found for found in diagnosis.diagnose().findings}


@pytest.mark.usefixtures("own")
def test_the_doctor_names_untested_parts_and_the_tables(ships: Callable[..., None]) -> None:
    torch = _probe(("torch",), timeout_s=1)["torch"]
    parts = [one for one in Zoo.discover().entries() if one.provider.distribution == "plm-own"]
    tables, untested = measurements(parts, torch)
    assert (untested.topic, untested.state) == ("attention/own", "untested")
    assert untested.detail == "no test has run it on this hardware"
    assert (tables.topic, tables.state) == ("measured", "absent")
    assert "NVIDIA H200" in tables.detail
    assert "plm bench SPEC --tune FILE" in tables.fix

    ships()
    (tables,) = measurements(parts, torch)
    assert (tables.state, tables.fix) == ("ok", "")
    assert tables.detail == "attention: auto has times of NVIDIA H200"


@pytest.mark.usefixtures("own")
def test_the_doctor_tells_of_a_damaged_table(
    monkeypatch: pytest.MonkeyPatch, ships: Callable[..., None]
) -> None:
    ships()
    (shipped_tables._FOLDER / "h200.json").write_text("{")
    shipped_tables.every_table.cache_clear()
    found = doctor(monkeypatch)["measured"]

    assert found.state == "broken"
    assert "The measured table cannot be read" in found.detail
    assert not found.needed
