"""A measured table survives its file; anything else is refused with its place."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from plm_components.errors import MeasurementError
from plm_components.measured import (
    Machine,
    Row,
    Table,
    every_table,
    read_table,
    shipped,
    write_table,
)
from plm_components.zoo import list_components

H100 = Machine("cuda", "NVIDIA H100 80GB HBM3", "2.11.0+cu130", 16)
ROW = Row(
    kind="attention",
    part="attention/sdpa",
    provider="plm-components",
    version="0.1.0",
    mask="Causal",
    dtype="bfloat16",
    backward=False,
    batch=1,
    num_heads=32,
    num_kv_heads=8,
    head_dim=128,
    num_queries=4096,
    num_keys=4096,
    median_s=1.25e-4,
    error=0.9,
)


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    rows = (replace(ROW, dtype="float32", backward=True), ROW)
    write_table(tmp_path / "h100.json", Table(H100, rows))

    assert read_table(tmp_path / "h100.json") == Table(H100, (ROW, rows[0])), "sorted by identity"


def test_the_format_is_the_one_that_is_documented(tmp_path: Path) -> None:
    write_table(tmp_path / "t.json", Table(H100, (ROW,)))
    data = json.loads((tmp_path / "t.json").read_text())

    assert list(data) == ["schema", "hardware", "rows"]
    assert data["schema"] == 1
    assert data["hardware"] == asdict(H100)
    assert data["rows"] == [asdict(ROW)]


def test_a_table_without_rows_is_one(tmp_path: Path) -> None:
    write_table(tmp_path / "t.json", Table(H100, ()))

    assert read_table(tmp_path / "t.json").rows == ()


def test_a_table_is_replaced_whole(tmp_path: Path) -> None:
    write_table(tmp_path / "t.json", Table(H100, (ROW,)))
    before = (tmp_path / "t.json").read_text()
    with pytest.raises(MeasurementError, match=r"row 1, median_s is 0\.0, not more than no time"):
        write_table(tmp_path / "t.json", Table(H100, (replace(ROW, median_s=0.0),)))

    assert (tmp_path / "t.json").read_text() == before
    assert [file.name for file in tmp_path.iterdir()] == ["t.json"]


def _spoilt(**changes: Any) -> dict[str, Any]:
    row = {**asdict(ROW), **changes}
    kept = {name: value for name, value in row.items() if value is not ...}
    return {"schema": 1, "hardware": asdict(H100), "rows": [kept]}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ([], "it is no mapping of schema, hardware and rows alone"),
        ({"schema": 1, "rows": []}, "it is no mapping of schema, hardware and rows alone"),
        ({**_spoilt(), "more": 1}, "it is no mapping of schema, hardware and rows alone"),
        ({**_spoilt(), "hardware": {"device": "cuda"}}, "hardware lacks name"),
        (
            {**_spoilt(), "hardware": {**asdict(H100), "device": "tpu"}},
            "hardware, device is 'tpu', not one of cpu, cuda, mps, xpu",
        ),
        ({**_spoilt(), "rows": [3]}, "row 1 is no mapping"),
        (_spoilt(error=...), "row 1 lacks error"),
        (_spoilt(colour="red"), "row 1 has colour"),
        (_spoilt(median_s="1"), "row 1, median_s is '1', not a number from 0"),
        (_spoilt(median_s=-1.0), "row 1, median_s is -1.0, not a number from 0"),
        (_spoilt(median_s=True), "row 1, median_s is True, not a number from 0"),
        (_spoilt(batch=0), "row 1, batch is 0, not a whole number from 1"),
        (_spoilt(batch=1.0), "row 1, batch is 1.0, not a whole number from 1"),
        (_spoilt(batch=True), "row 1, batch is True, not a whole number from 1"),
        (_spoilt(num_keys=2**31), "row 1, num_keys is 2147483648, not a whole number from 1"),
        (_spoilt(backward=0), "row 1, backward is 0, not true or false"),
        (_spoilt(dtype=""), "row 1, dtype is '', not 1 to 200 printable letters"),
        (_spoilt(version="1\n2"), r"row 1, version is '1\n2', not 1 to 200 printable letters"),
        (
            _spoilt(mask="causal"),
            "row 1, mask is 'causal', not one of Full, Causal, Documents, CausalCached",
        ),
        (_spoilt(part="sdpa"), "row 1, part is 'sdpa', not an address, attention/name"),
        (_spoilt(num_kv_heads=5), "row 1, num_kv_heads is 5, not a divisor of 32"),
        (
            {**_spoilt(), "rows": [asdict(ROW), asdict(replace(ROW, median_s=1.0))]},
            "row 2 measures what row 1 did",
        ),
        ({**_spoilt(), "rows": [0] * 20_001}, "it has 20,001 rows, 20,000 are allowed"),
    ],
)
def test_what_is_no_table(tmp_path: Path, data: object, why: str) -> None:
    file = tmp_path / "t.json"
    file.write_text(json.dumps(data))
    with pytest.raises(MeasurementError) as caught:
        read_table(file)

    assert str(caught.value) == (
        f"The measured table cannot be read: {why}.\n"
        f"  where:    {file}\n"
        "  expected: a JSON file with schema, hardware and rows\n"
        "  fix:      measure again: plm bench SPEC --tune FILE writes such a table"
    )


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\xff", "it is not UTF-8 text (byte 0)"),
        (b'{"schema": NaN}', "NaN is no number of JSON"),
        (b'{"schema": 1, "schema": 1}', "the key 'schema' stands twice"),
        (b"[" * 100_000, "it nests too deeply"),
        (b" " * (16 << 20) + b"1", "it is larger than 16,777,216 bytes"),
    ],
    ids=["bytes", "NaN", "a key twice", "deep", "large"],
)
def test_what_is_no_json(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "t.json").write_bytes(content)
    with pytest.raises(MeasurementError) as caught:
        read_table(tmp_path / "t.json")

    assert caught.value.what == f"The measured table cannot be read: {why}."


@pytest.mark.parametrize("schema", [2, True, "1", None])
def test_another_schema_is_told(tmp_path: Path, schema: object) -> None:
    (tmp_path / "t.json").write_text(json.dumps({**_spoilt(), "schema": schema}))
    with pytest.raises(MeasurementError, match=f"is of schema {schema}") as caught:
        read_table(tmp_path / "t.json")

    assert caught.value.expected == "schema 1"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MeasurementError, match="No such file or directory"):
        read_table(tmp_path / "none.json")
    with pytest.raises(MeasurementError, match="cannot be written: No such file or directory"):
        write_table(tmp_path / "none" / "t.json", Table(H100, ()))


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"torch": "2.14.0"}, True),
        ({"threads": 2}, True),
        ({"name": "NVIDIA H100 PCIe"}, False),
        ({"device": "cpu"}, False),
    ],
)
def test_hardware_is_the_same_to_the_letter(change: dict[str, Any], same: bool) -> None:
    assert H100.is_same_hardware(replace(H100, **change)) is same


@pytest.mark.parametrize(
    ("measured", "here", "ours_shipped", "any_other"),
    [
        ("0.1.0", "0.1.0", True, True),
        ("0.1.0", "0.2.0", True, False),
        ("0.1.0 with flash-attn 2.8.3", "0.1.0 with flash-attn 2.8.3", True, True),
        ("0.1.0 with flash-attn 2.8.3", "0.2.0 with flash-attn 2.8.3", True, False),
        ("0.1.0 with flash-attn 2.8.3", "0.1.0 with flash-attn 2.9.0", False, False),
        ("0.1.0", "0.1.0 with flash-attn 2.8.3", False, False),
        ("0.1.0 with flash-attn 2.8.3", "0.1.0", False, False),
    ],
)
def test_a_row_is_of_the_versions_that_were_measured(
    measured: str, here: str, ours_shipped: bool, any_other: bool
) -> None:
    row = replace(ROW, version=measured)
    plugins = replace(row, provider="plm-other")

    assert row.is_of(row.part, row.provider, here, is_shipped=True) is ours_shipped
    assert row.is_of(row.part, row.provider, here, is_shipped=False) is any_other
    assert plugins.is_of(row.part, "plm-other", here, is_shipped=True) is any_other


def test_threads_are_part_of_a_processor() -> None:
    cpu = Machine("cpu", "Some Processor", "2.14.0", 2)

    assert not cpu.is_same_hardware(replace(cpu, threads=4))
    assert str(cpu) == "Some Processor, 2 threads"
    assert str(H100) == "NVIDIA H100 80GB HBM3"


def test_shipped_tables_can_be_read_and_name_parts_that_there_are() -> None:
    ours = {entry.address for entry in list_components()}
    for table in every_table():
        assert shipped(table.machine), table.machine
        assert {row.part for row in table.rows if row.provider == "plm-components"} <= ours
    assert shipped(Machine("cuda", "No Such Device", "2.14.0", 1)) == ()
