"""Puts the findings together: packages, devices, the zoo and the embedded weights."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from plm_components.doctor.embedded import embedded_weights
from plm_components.doctor.finding import Finding
from plm_components.doctor.house import zoo_findings
from plm_components.doctor.probes import Probe, probe
from plm_components.doctor.remedies import TOGETHER, explain

NEEDED = (
    "torch",
    "torchvision",
    "timm",
    "transformers",
    "tokenizers",
    "huggingface_hub",
    "safetensors",
    "omegaconf",
    "pluggy",
    "packaging",
    "av",
    "PIL",
    "numpy",
    "rich",
)
OPTIONAL = ("triton", "xformers", "flash_attn", "torchcodec")


@dataclass(frozen=True)
class Diagnosis:
    """Everything the doctor found.

    Args:
        findings: In the order they are shown.
    """

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether the main job works: nothing that is needed is absent or broken."""
        return not any(found.needed and found.state != "ok" for found in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {"ok": self.ok, "findings": [asdict(found) for found in self.findings]}


def diagnose(*, timeout_s: float = 60.0) -> Diagnosis:
    """Examines this machine.

    Args:
        timeout_s: How long one package may take to import before it is called broken.
    """
    probes = probe((*NEEDED, *OPTIONAL), timeout_s=timeout_s)
    return Diagnosis(
        (
            _python(),
            *(_package(probes[name], needed=True) for name in NEEDED),
            *_pairing(probes["torch"], probes["torchvision"]),
            *(_package(probes[name], needed=False) for name in OPTIONAL),
            *_devices(probes["torch"]),
            *zoo_findings(probes["torch"]),
            embedded_weights("plm-tiny"),
        )
    )


def _python() -> Finding:
    version = platform.python_version()
    detail = f"{version}, {platform.system()} {platform.machine()}"
    return Finding("python", "ok", detail, needed=True)


def _package(found: Probe, *, needed: bool) -> Finding:
    label = found.distribution
    if found.state == "ok":
        return Finding(label, "ok", _describe(found), needed=needed)
    meaning, fix = explain(found)
    version = f"{found.version}: " if found.version else ""
    return Finding(label, found.state, f"{version}{meaning}", fix, needed, error=found.error)


def _describe(found: Probe) -> str:
    notes = {
        "torch": f"CUDA build {found.facts.get('cuda_build') or 'none'}",
        "av": f"with FFmpeg, libavcodec {found.facts.get('ffmpeg', '')}",
    }
    version = found.version or "version unknown"
    return f"{version}, {notes[found.name]}" if found.name in notes else version


def _pairing(torch: Probe, torchvision: Probe) -> Iterator[Finding]:
    # read from metadata: says so even where both still happen to import
    if torch.version is None or torchvision.version is None:
        return
    wanted = _unmet("torchvision", "torch", torch.version)
    if wanted is not None:
        detail = f"torchvision {torchvision.version} wants {wanted}, here is torch {torch.version}"
        yield Finding("torch + torchvision", "broken", detail, TOGETHER, needed=True)


def _unmet(distribution: str, name: str, version: str) -> str | None:
    """What a distribution requires of another, where this version does not meet it."""
    try:
        # here, not above: the doctor runs where packaging itself is missing
        from packaging.requirements import InvalidRequirement, Requirement
    except ImportError:
        return None
    for line in importlib.metadata.requires(distribution) or ():
        try:
            wanted = Requirement(line)
        except InvalidRequirement:
            continue
        if wanted.name == name and not wanted.specifier.contains(version, prereleases=True):
            return str(wanted)
    return None


def _devices(torch: Probe) -> Iterator[Finding]:
    threads = f", torch threads: {torch.facts['threads']}" if torch.facts else ""
    yield Finding("cpu", "ok", f"{os.cpu_count()} logical cores{threads}")
    if torch.state != "ok":
        return
    for index, device in enumerate(torch.facts["devices"]):
        memory = f"{device['memory_bytes'] / 2**30:.0f} GiB"
        detail = f"{device['name']}, {memory}, compute capability {device['capability']}"
        yield Finding(f"cuda:{index}", "ok", detail)
    if not torch.facts["devices"]:
        yield _no_cuda(torch.facts["cuda_build"])
    if torch.facts["mps"]:
        yield Finding("mps", "ok", "Apple GPU")


def _no_cuda(build: str | None) -> Finding:
    if build is None:
        fix = "with an NVIDIA GPU: install torch from the CUDA index its site names"
        return Finding("cuda", "absent", "this torch was built without CUDA", fix)
    fix = "with an NVIDIA GPU: install its driver"
    return Finding("cuda", "absent", "torch finds no device or no driver", fix)
