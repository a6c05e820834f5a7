"""Real video files for readers, encoded once a process into a temporary directory."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from torch import Tensor

_WIDTH, _HEIGHT = 64, 48


@dataclass(frozen=True)
class Clip:
    """A file, and what a plain decode of all of it gives.

    Args:
        name: For messages.
        path: The file.
        frames: uint8 ``(F, 3, H, W)``, decoded in order.
        times: Presentation times in seconds, from 0.0.
    """

    name: str
    path: Path
    frames: Tensor
    times: tuple[float, ...]


@cache
def clips() -> tuple[Clip, ...]:
    """Steady with B-frames and several key frames; unsteady times; a single frame."""
    steady, gaps = range(24), [0, 1, 2, 5, 6, 11, 12, 13, 20, 31]
    return (
        _clip("steady, B-frames", list(steady), {"g": "8", "bf": "2"}),
        _clip("unsteady frame times", gaps, {"g": "250"}),
        _clip("a single frame", [0], {}),
    )


@cache
def broken_files() -> tuple[tuple[str, Path], ...]:
    """Files that are no video: empty, text, cut short, sound only, absent."""
    whole = clips()[0].path.read_bytes()
    made = {"empty": b"", "text": b"this is no video\n" * 20, "cut short": whole[: len(whole) // 3]}
    for name, content in made.items():
        (_directory() / f"{name}.mp4").write_bytes(content)
    _write_sound(_directory() / "sound only.mp4")
    return tuple((n, _directory() / f"{n}.mp4") for n in (*made, "sound only", "absent"))


@cache
def _directory() -> Path:
    """Lives as long as the process."""
    made = tempfile.mkdtemp(prefix="plm-clips-")
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return Path(made)


def _clip(name: str, ticks: list[int], options: dict[str, str]) -> Clip:
    path = _directory() / f"{name}.mp4"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(
            "libx264", rate=12, options={"preset": "fast", **options}
        )
        stream.width, stream.height, stream.pix_fmt = _WIDTH, _HEIGHT, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 12)
        for number, tick in enumerate(ticks):
            frame = av.VideoFrame.from_ndarray(_picture(number), format="rgb24")
            frame.pts, frame.time_base = tick, Fraction(1, 12)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    frames, times = _decode(path)
    return Clip(name, path, frames, times)


def _picture(number: int) -> Any:
    """Grey that grows with the number, and a bar that moves: no two frames alike."""
    pixels = np.full((_HEIGHT, _WIDTH, 3), 20 + 8 * (number % 24), np.uint8)
    pixels[:, (5 * number) % _WIDTH : (5 * number) % _WIDTH + 6] = (220, 40, 40)
    return pixels


def _decode(path: Path) -> tuple[Tensor, tuple[float, ...]]:
    frames, times = [], []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            frames.append(torch.from_numpy(frame.to_ndarray(format="rgb24")).permute(2, 0, 1))
            times.append(frame.time or 0.0)
    return torch.stack(frames), tuple(time - times[0] for time in times)


def _write_sound(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
