"""What this reader does beyond its contract."""

from __future__ import annotations

import os
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from plm_components.errors import MediaError
from plm_components.video_readers.pyav import PyAVReader

from plm_my_part.my_part import MyPart as Part


def write_clip(path: Path, first_grey: int) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 16, "yuv420p"
        for number in range(6):
            pixels = np.full((16, 32, 3), first_grey + 20 * number, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    write_clip(path, 10)
    return path


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Frames that were really decoded."""
    asked: list[int] = []
    read = PyAVReader.read

    def counting(self: PyAVReader, path: Path, indices: list[int]) -> torch.Tensor:
        asked.extend(indices)
        return read(self, path, indices)

    monkeypatch.setattr(PyAVReader, "read", counting)
    return asked


def test_a_frame_is_decoded_once(clip: Path, decoded: list[int]) -> None:
    reader = Part()
    first = reader.read(clip, [1, 3])
    again = reader.read(clip, [3, 4, 1])
    assert decoded == [1, 3, 4]
    assert torch.equal(again[[2, 0]], first)


def test_what_was_asked_for_longest_ago_is_forgotten(clip: Path, decoded: list[int]) -> None:
    reader = Part(max_frames=2)
    for indices in ([0, 1], [0, 2], [0], [1]):
        reader.read(clip, indices)
    assert decoded == [0, 1, 2, 1]


def test_a_file_written_anew_is_read_anew(clip: Path) -> None:
    reader = Part()
    before = reader.read(clip, [0])
    write_clip(clip, 100)
    os.utime(clip, ns=(1, 1))
    assert float(reader.read(clip, [0]).float().mean()) > float(before.float().mean()) + 50


def test_a_file_that_is_gone_is_refused(clip: Path) -> None:
    reader = Part()
    reader.read(clip, [0])
    clip.unlink()
    with pytest.raises(MediaError):
        reader.read(clip, [0])
