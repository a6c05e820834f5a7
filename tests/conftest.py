"""Fixtures that tests of several floors share."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from hypothesis import settings

from plm_components.zoo import default_zoo
from plugin_dists import Site

# read when triton is imported, and torch imports it when it compiles
if not torch.cuda.is_available():
    assert "triton" not in sys.modules
    os.environ["TRITON_INTERPRET"] = "1"

# a shared machine is slow now and then, and that is no fault of what is tested
settings.register_profile("plm", deadline=None, database=None)
# pytest tests/hostile --hypothesis-profile=long: other examples every time, and many more
settings.register_profile("long", deadline=None, database=None, max_examples=5_000)
settings.load_profile("plm")


@pytest.fixture(scope="session")
def kernel_device() -> str:
    """Where Triton's kernels are tested: the GPU, else the CPU, in Triton's interpreter."""
    if not torch.cuda.is_available():
        return "cpu"
    with warnings.catch_warnings():
        # the first product of autograd's thread finds no CUDA context, and torch says so once
        warnings.filterwarnings("ignore", message="Attempting to run cuBLAS")
        one = torch.ones(2, 2, device="cuda", requires_grad=True)
        torch.autograd.backward((one @ one).sum())
    return "cuda"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A folder first on the path, and no word about plugins in the environment."""
    monkeypatch.delenv("PLM_PLUGINS", raising=False)
    monkeypatch.delenv("PLM_STRICT_PLUGINS", raising=False)
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    yield Site(folder)
    # who asked for the default zoo meanwhile has seen what lies there
    default_zoo.cache_clear()
    for name in set(sys.modules) - before:
        if str(folder) in str(getattr(sys.modules[name], "__file__", None)):
            del sys.modules[name]


WriteVideo = Callable[..., Path]


def _moving_block(count: int, width: int, height: int) -> np.ndarray:
    """A block that moves and brightens over still noise: every frame leans on others, none is
    like another.
    """
    still = np.random.default_rng(0).integers(60, 120, (height, width, 3), dtype=np.uint8)
    frames = np.repeat(still[None], count, axis=0)
    for number in range(count):
        left = number * 2 % (width - 8)
        frames[number, 8:16, left : left + 8] = 130 + 2 * (number % 60)
    return frames


@pytest.fixture
def write_video(tmp_path: Path) -> WriteVideo:
    """A writer of small videos, lossless enough that frames can be told apart."""

    def write(
        name: str = "clip.mp4",
        *,
        frames: np.ndarray | None = None,
        count: int = 48,
        size: tuple[int, int] = (64, 48),
        fps: Fraction | int = 24,
        codec: str = "libx264",
        options: dict[str, str] | None = None,
        pts: Sequence[int] | None = None,
        edit_stream: Callable[[Any], None] | None = None,
    ) -> Path:
        """One stream; ``pts`` are in milliseconds and make the frame rate vary."""
        if frames is None:
            frames = _moving_block(count, *size)
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=fps, options=options or {"crf": "0"})
            stream.height, stream.width = frames.shape[1:3]
            stream.pix_fmt = "yuv420p"
            if pts is not None:
                stream.codec_context.time_base = Fraction(1, 1000)
            if edit_stream is not None:
                edit_stream(stream)
            for number, pixels in enumerate(frames):
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                if pts is not None:
                    frame.pts, frame.time_base = pts[number], Fraction(1, 1000)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return path

    return write
