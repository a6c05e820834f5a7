"""Imports packages one by one and says how each went; runs in a process of its own.

``python child.py torch torchvision`` writes one JSON line a package to stdout and stops after
the first that fails, so that no package is judged in a process another one has damaged. Standard
library only: this file must run whatever is broken.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from typing import Any, TextIO


def main(names: list[str]) -> int:
    """Probes ``names`` in order."""
    report = _claim_stdout()
    for name in names:
        try:
            line = {"name": name, "facts": _FACTS.get(name, _imported)(name)}
        except BaseException as error:  # also SystemExit at import: that is what we look for
            line = {"name": name, "error": f"{type(error).__name__}: {error}"}
        print(json.dumps(line), file=report, flush=True)
        if "error" in line:
            return 1
    return 0


def _claim_stdout() -> TextIO:
    # what packages print at import goes to stderr; the report keeps the pipe for itself
    report = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return report


def _imported(name: str) -> dict[str, Any]:
    import_module(name)
    return {}


def _torch(name: str) -> dict[str, Any]:
    torch = import_module(name)
    count = torch.cuda.device_count()
    return {
        "cuda_build": torch.version.cuda,
        "threads": torch.get_num_threads(),
        "devices": [_device(torch, index) for index in range(count)],
        "mps": bool(torch.backends.mps.is_available()),
        "xpu": bool(torch.xpu.is_available()),
    }


def _device(torch: Any, index: int) -> dict[str, Any]:
    properties = torch.cuda.get_device_properties(index)
    return {
        "name": properties.name,
        "memory_bytes": properties.total_memory,
        "capability": f"{properties.major}.{properties.minor}",
    }


def _torchvision(name: str) -> dict[str, Any]:
    ops = import_module(f"{name}.ops")
    torch = import_module("torch")
    # importing is not enough: a build for another torch fails at the first compiled operator
    ops.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
    return {}


def _transformers(name: str) -> dict[str, Any]:
    # the top level is lazy and always imports; a model class is what we use
    package = import_module(name)
    return {"model_class": package.LlamaForCausalLM.__name__}


def _av(name: str) -> dict[str, Any]:
    av = import_module(name)
    av.codec.Codec("h264", "r")
    return {"ffmpeg": ".".join(str(part) for part in av.library_versions["libavcodec"])}


def _torchcodec(name: str) -> dict[str, Any]:
    decoders = import_module(f"{name}.decoders")
    try:
        decoders.VideoDecoder(os.devnull)
    except (RuntimeError, ValueError, OSError) as error:
        # an empty file is refused by a library that works, and by one that cannot load FFmpeg
        if "libtorchcodec" in str(error):
            raise
    return {}


def _xformers(name: str) -> dict[str, Any]:
    import_module(f"{name}.ops")
    return {}


_FACTS = {
    "torch": _torch,
    "torchvision": _torchvision,
    "transformers": _transformers,
    "av": _av,
    "torchcodec": _torchcodec,
    "xformers": _xformers,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
