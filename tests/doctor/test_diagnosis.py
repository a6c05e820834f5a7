"""The diagnosis as a whole, on machines that are broken in one way each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from plm_components.doctor import Diagnosis, Finding, diagnosis
from plm_components.doctor.probes import Probe

NMS = "operator torchvision::nms does not exist"


def _sound(names: tuple[str, ...], *, timeout_s: float) -> dict[str, Probe]:
    """Every package fine, as on a machine with two GPUs; nothing imported."""
    device = {"name": "NVIDIA H200", "memory_bytes": 150 * 2**30, "capability": "9.0"}
    facts: dict[str, dict[str, Any]] = {
        "torch": {"cuda_build": "13.2", "threads": 8, "devices": [device, device], "mps": False}
    }
    return {name: Probe(name, "9.9", "ok", facts=facts.get(name, {})) for name in names}


def _found(result: Diagnosis, topic: str) -> Finding:
    return next(one for one in result.findings if one.topic == topic)


@pytest.fixture
def sound_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "probe", _sound)
    monkeypatch.setattr(diagnosis, "_unmet", lambda *_: None)


@pytest.mark.usefixtures("sound_machine")
def test_a_sound_machine_is_sound_and_names_its_devices() -> None:
    result = diagnosis.diagnose()

    assert [one for one in result.findings if one.needed and one.state != "ok"] == []
    assert result.ok
    assert _found(result, "cuda:1").detail == "NVIDIA H200, 150 GiB, compute capability 9.0"
    assert "parts usable" in _found(result, "zoo").detail


def test_a_mismatched_pair_is_read_from_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "probe", _sound)
    monkeypatch.setattr(
        diagnosis.importlib.metadata, "requires", lambda name: ["numpy", "torch==2.1.0"]
    )

    result = diagnosis.diagnose()

    assert not result.ok
    assert _found(result, "torch + torchvision") == Finding(
        "torch + torchvision",
        "broken",
        "torchvision 9.9 wants torch==2.1.0, here is torch 9.9",
        "pip install --upgrade --force-reinstall torch torchvision",
        needed=True,
    )


def test_what_is_optional_never_spoils_the_verdict() -> None:
    absent = Finding("triton", "absent", "not installed", "pip install triton")
    broken = Finding("torchcodec", "broken", "no FFmpeg", "install it")

    assert Diagnosis((absent, broken)).ok
    assert not Diagnosis((absent, Finding("timm", "broken", "", "", needed=True))).ok


@pytest.fixture
def ruined(tmp_path: Path) -> Path:
    """Fakes on the path before the real packages: broken, crashing, mismatched."""
    for name, source in {
        "torchvision": f"raise RuntimeError({NMS!r})",
        "transformers": "import os; os._exit(1)",
        "timm": f"raise RuntimeError({NMS!r})",
        "torch": "raise ImportError('libtorch_cpu.so: cannot open shared object file')",
        "xformers": "raise RuntimeError('no kernel image')",
        "flash_attn": "raise ImportError('flash.so: undefined symbol: _ZN3c10')",
        "torchcodec": "raise RuntimeError('Could not load libtorchcodec: no FFmpeg')",
        "pluggy": "raise ImportError('pluggy is half removed')",
        "packaging": "raise ImportError('packaging too')",
        "rich": "raise SystemExit(5)",
    }.items():
        (tmp_path / f"{name}.py").write_text(source)
    return tmp_path


def _doctor(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "plm_components", "doctor", *options],
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_doctor_survives_a_ruin(ruined: Path) -> None:
    run = _doctor(ruined, "--json")
    result = json.loads(run.stdout)
    states = {one["topic"]: one["state"] for one in result["findings"]}

    assert run.returncode == 1
    assert result["ok"] is False
    assert "Traceback" not in run.stderr
    broken = {name for name, state in states.items() if state == "broken"}
    assert broken >= {
        *("torch", "torchvision", "timm", "transformers", "xformers", "flash-attn"),
        *("torchcodec", "pluggy", "packaging", "rich", "zoo"),
    }
    assert states["numpy"] == "ok"
    fixes = {one["topic"]: one["fix"] for one in result["findings"]}
    assert fixes["timm"] == "pip install --upgrade --force-reinstall torch torchvision"


def test_the_ruin_fits_one_screen(ruined: Path) -> None:
    run = _doctor(ruined)

    assert run.stdout.endswith(
        "The main job, from a spec to an answer, does not work: see 'To mend'.\n"
    )
    assert "To mend:\n  torch: pip install --force-reinstall torch\n" in run.stdout
    assert len(run.stdout.splitlines()) <= 50
