"""From an error text to one sentence a person understands, and what to type."""

from __future__ import annotations

import re
from dataclasses import dataclass

from plm_components.doctor.probes import Probe

TOGETHER = "pip install --upgrade --force-reinstall torch torchvision"


@dataclass(frozen=True)
class Remedy:
    """One known trouble.

    Args:
        package: Import name it belongs to, or ``*`` for any.
        pattern: Regular expression searched in the error text.
        meaning: What it means; ``{error}`` is the first line of the error.
        fix: What to type.
    """

    package: str
    pattern: str
    meaning: str
    fix: str


# the first that fits wins, so the particular stands before the general
_REMEDIES = (
    Remedy(
        "*",
        r"operator torchvision::nms does not exist|torchvision.*undefined symbol|libtorch_cuda",
        "torchvision was built for another torch: {error}",
        TOGETHER,
    ),
    Remedy(
        "torchcodec",
        r"libtorchcodec|libav(util|codec|format)|FFmpeg",
        "finds no FFmpeg libraries; video_reader: pyav brings its own",
        "install FFmpeg 4 to 9 with shared libraries, e.g. conda install ffmpeg",
    ),
    Remedy(
        "flash_attn",
        r"undefined symbol|DLL load failed|cannot open shared object",
        "was compiled for another torch: {error}",
        "pip install --force-reinstall --no-build-isolation flash-attn",
    ),
    Remedy(
        "*",
        r"undefined symbol|DLL load failed",
        "its compiled part was built for another version of a package it uses: {error}",
        "pip install --force-reinstall {distribution}",
    ),
    Remedy(
        "*",
        r"ModuleNotFoundError: No module named '(?P<module>[\w.]+)'",
        "a package it needs is missing: {error}",
        "pip install --force-reinstall {distribution}",
    ),
    Remedy(
        "*",
        r"TimeoutError: importing",
        "hangs when it is imported",
        "pip install --force-reinstall {distribution}",
    ),
    Remedy(
        "*",
        r"^the process",
        "takes the whole process down when it is imported: {error}",
        "pip install --force-reinstall {distribution}",
    ),
)

_ABSENT = {
    "triton": "pip install triton  (Linux)",
    "flash_attn": "pip install --no-build-isolation flash-attn  (needs a CUDA compiler)",
}


def explain(probe: Probe) -> tuple[str, str]:
    """What is wrong with a package, and how to mend it.

    Args:
        probe: One that is absent or broken.

    Returns:
        A short sentence and a line to type.
    """
    distribution = probe.distribution
    if probe.state == "absent":
        return "not installed", _ABSENT.get(probe.name, f"pip install {distribution}")
    for remedy in _REMEDIES:
        if remedy.package in ("*", probe.name) and re.search(remedy.pattern, probe.error, re.S):
            meaning = remedy.meaning.format(error=first_line(probe.error))
            return meaning, remedy.fix.format(distribution=distribution)
    return first_line(probe.error), f"pip install --force-reinstall {distribution}"


def first_line(text: str, limit: int = 96) -> str:
    """The first line of an error, cut where a screen would fold it."""
    line = next(iter(text.strip().splitlines()), "")
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
