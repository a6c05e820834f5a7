"""The hardware at hand, without torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from plm_components.measured import devices_here, here, processor_name


def test_gpus_are_named_as_the_driver_lists_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, model in enumerate(("NVIDIA H100 80GB HBM3", "NVIDIA L4")):
        folder = tmp_path / f"0000:0{number}:00.0"
        folder.mkdir()
        (folder / "information").write_text(f"Model: \t\t {model}\nIRQ:   \t\t 16\n")
    monkeypatch.setattr(here, "_NVIDIA", tmp_path)

    assert devices_here() == {
        ("cpu", processor_name()),
        ("cuda", "NVIDIA H100 80GB HBM3"),
        ("cuda", "NVIDIA L4"),
    }


def test_a_machine_without_the_driver_has_a_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(here, "_NVIDIA", tmp_path / "none")

    assert devices_here() == {("cpu", processor_name())}
    assert processor_name().strip()


def test_tables_need_no_torch() -> None:
    code = (
        "import sys; from plm_components.measured import devices_here; devices_here(); "
        "sys.exit(str({'torch', 'numpy', 'pluggy'} & set(sys.modules) or '') or 0)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert run.stderr == ""
    assert run.returncode == 0
