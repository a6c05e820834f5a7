"""Beside the reader it leans on: the same frames asked for again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from plm_components.video_readers.pyav import PyAVReader

from plm_my_part.my_part import MyPart as Part


@pytest.mark.parametrize("reader_class", [PyAVReader, Part])
def test_asked_again(benchmark: Any, tmp_path: Path, reader_class: Any) -> None:
    count, height, width = (6, 16, 32) if benchmark.disabled else (120, 480, 640)
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(count):
            pixels = np.full((height, width, 3), number, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    reader, wanted = reader_class(), list(range(0, count, 5))
    # no wrong answer gets a time
    assert torch.equal(reader.read(path, wanted), PyAVReader().read(path, wanted))
    benchmark(lambda: reader.read(path, wanted))
