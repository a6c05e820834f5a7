"""The probes survive packages that are broken in every way we know of."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from plm_components.doctor.probes import Probe, probe
from plm_components.doctor.remedies import explain

NMS = "operator torchvision::nms does not exist"
BROKEN = {
    "breaks_at_import": "raise RuntimeError('no luck today')",
    "leaves_at_import": "import os; os._exit(3)",
    "aborts_at_import": "import os; os.abort()",
    "exits_at_import": "raise SystemExit('licence expired')",
    "hangs_at_import": "import time; time.sleep(60)",
    "misses_a_package": "import a_package_that_is_not_there",
    "prints_at_import": "import sys; print('hello'); print('x' * 200_000, file=sys.stderr)",
    "sound_package": "",
}


@pytest.fixture
def broken_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, source in BROKEN.items():
        (tmp_path / f"{name}.py").write_text(source)
    _on_path(tmp_path, monkeypatch)
    return tmp_path


def _on_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # the child inherits PYTHONPATH; the parent asks its own finder whether a name exists at all
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])


@pytest.mark.usefixtures("broken_packages")
def test_each_broken_package_is_named_and_the_rest_is_judged() -> None:
    found = probe([*BROKEN, "json", "a_name_nobody_uses"], timeout_s=2)

    assert {name: one.state for name, one in found.items()} == {
        "breaks_at_import": "broken",
        "leaves_at_import": "broken",
        "aborts_at_import": "broken",
        "exits_at_import": "broken",
        "hangs_at_import": "broken",
        "misses_a_package": "broken",
        "prints_at_import": "ok",
        "sound_package": "ok",
        "json": "ok",
        "a_name_nobody_uses": "absent",
    }
    assert found["breaks_at_import"].error == "RuntimeError: no luck today"
    assert (
        found["leaves_at_import"].error == "the process ended with exit code 3 while importing it"
    )
    assert "was killed by SIGABRT while importing it" in found["aborts_at_import"].error
    assert found["exits_at_import"].error == "SystemExit: licence expired"
    assert found["hangs_at_import"].error == "TimeoutError: importing it took longer than 2 s"


def test_a_file_in_the_working_directory_is_no_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "colorsys.py").write_text("raise RuntimeError('shadow')")
    monkeypatch.chdir(tmp_path)

    assert probe(["colorsys"], timeout_s=10)["colorsys"].state == "ok"


def test_a_torchvision_built_for_another_torch_is_recognised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "torchvision"
    fake.mkdir()
    (fake / "__init__.py").write_text(f"raise RuntimeError({NMS!r})")
    _on_path(tmp_path, monkeypatch)

    found = probe(["torchvision"], timeout_s=10)["torchvision"]

    assert explain(found) == (
        f"torchvision was built for another torch: RuntimeError: {NMS}",
        "pip install --upgrade --force-reinstall torch torchvision",
    )


@pytest.mark.parametrize(
    ("name", "error", "meaning", "fix"),
    [
        (
            "timm",
            f"RuntimeError: {NMS}",
            "torchvision was built for another torch",
            "pip install --upgrade --force-reinstall torch torchvision",
        ),
        (
            "torchcodec",
            "RuntimeError: Could not load libtorchcodec. Likely causes:\n 1. FFmpeg is not …",
            "finds no FFmpeg libraries; video_reader: pyav brings its own",
            "install FFmpeg 4 to 9 with shared libraries, e.g. conda install ffmpeg",
        ),
        (
            "flash_attn",
            "ImportError: flash_attn_2_cuda.so: undefined symbol: _ZN3c10",
            "was compiled for another torch",
            "pip install --force-reinstall --no-build-isolation flash-attn",
        ),
        (
            "PIL",
            "ImportError: libjpeg.so.8: undefined symbol: jpeg_start",
            "its compiled part was built for another version of a package it uses",
            "pip install --force-reinstall pillow",
        ),
        (
            "timm",
            "the process was killed by SIGSEGV while importing it",
            "takes the whole process down when it is imported",
            "pip install --force-reinstall timm",
        ),
    ],
)
def test_known_troubles_have_a_meaning_and_a_fix(
    name: str, error: str, meaning: str, fix: str
) -> None:
    said, remedy = explain(Probe(name, "1.0", "broken", error=error))

    assert said.startswith(meaning)
    assert remedy == fix
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("triton", "pip install triton  (Linux)"),
        ("xformers", "pip install xformers"),
        (
            "flash_attn",
            "pip install --no-build-isolation flash-attn  (needs a CUDA compiler)",
        ),
        ("torchcodec", "pip install torchcodec"),
        ("timm", "pip install timm"),
    ],
)
def test_what_is_absent_says_what_to_type(name: str, fix: str) -> None:
    assert explain(Probe(name, None, "absent")) == ("not installed", fix)


def test_an_unknown_trouble_is_shown_as_it_is() -> None:
    meaning, fix = explain(Probe("omegaconf", "2.4", "broken", error="KeyError: 'antlr'\nmore"))

    assert meaning == "KeyError: 'antlr'"
    assert fix == "pip install --force-reinstall omegaconf"
