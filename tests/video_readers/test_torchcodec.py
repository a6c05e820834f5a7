"""The same frames for the same indices, with FFmpeg taken from PyAV's wheel where it has one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import av
import pytest
import torch

from plm_components.errors import MediaError, UnavailableError
from plm_components.video_readers.pyav import PyAVReader
from plm_components.video_readers.torchcodec import TorchCodecReader

BUNDLED = Path(av.__file__).parents[1] / "av.libs"
needs_torchcodec = pytest.mark.skipif(
    find_spec("torchcodec") is None or not BUNDLED.is_dir(),
    reason="torchcodec is not installed, or PyAV brings no FFmpeg to lend it",
)

CHILD = """
import json, sys, torch
from pathlib import Path
from plm_components.errors import PlmError
from plm_components.video_readers.torchcodec import TorchCodecReader
reader = TorchCodecReader()
frames = {}
for path in sys.argv[2:]:
    try:
        count = reader.facts(Path(path)).num_frames
        frames[path] = reader.read(Path(path), [*range(count), 3, 0, 3])
    except PlmError as error:
        frames[path] = error.what
torch.save(frames, sys.argv[1])
"""


def in_child(directory: Path, paths: list[Path]) -> dict[str, torch.Tensor | str]:
    """Frames (or the error) of each file, read where torchcodec finds FFmpeg."""
    links = directory / "libraries"
    links.mkdir()
    for library in BUNDLED.glob("lib[as]*.so*"):
        name = re.sub(r"-[0-9a-f]+\.so\.(\d+).*", r".so.\1", library.name)
        (links / name).symlink_to(library)
    environment = os.environ | {"LD_LIBRARY_PATH": f"{links}:{BUNDLED}"}
    result = directory / "frames.pt"
    command = [sys.executable, "-c", CHILD, str(result), *map(str, paths)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr[-2000:]
    return dict(torch.load(result))


@needs_torchcodec
def test_frames_are_those_of_pyav(tmp_path: Path, write_video) -> None:
    paths = [
        write_video("plain.mp4", count=20),
        write_video("groups.mkv", count=20, options={"bf": "3", "g": "6"}),
        write_video("vp9.webm", count=12, codec="libvpx-vp9"),
        write_video("uneven.mkv", count=6, pts=[0, 40, 500, 520, 1700, 2000]),
        write_video("slow.mp4", count=5, fps=Fraction(1, 4)),
        write_video("turned.mp4", count=5, edit_stream=lambda s: s.set_display_rotation(90)),
    ]
    mirrored = write_video(
        "mirrored.mp4", count=5, edit_stream=lambda s: s.set_display_rotation(0, hflip=True)
    )
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    seen = in_child(tmp_path, [*paths, mirrored, text])
    for path in paths:
        count = PyAVReader().facts(path).num_frames
        expected = PyAVReader().read(path, [*range(count), 3, 0, 3])
        assert torch.equal(seen[str(path)], expected), path.name
    assert seen[str(mirrored)] == "The video is mirrored, which torchcodec leaves out."
    assert str(seen[str(text)]).startswith("The video cannot be read: ")


def test_without_its_libraries_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchcodec.decoders", None)
    with pytest.raises(UnavailableError) as caught:
        TorchCodecReader()
    assert caught.value.what.startswith("torchcodec cannot be used: it cannot be imported (")
    assert caught.value.where == "video_reader/torchcodec"
    assert caught.value.fix == (
        "install FFmpeg (apt install ffmpeg) and torchcodec, or set video_reader=pyav"
    )


class _Blind:
    """A decoder that finds no FFmpeg, as torchcodec's does."""

    def __init__(self, source: object) -> None:
        raise RuntimeError("Could not load libtorchcodec. Likely causes: …")


class _Miscounting:
    """A decoder that sees one frame less than there is."""

    def __init__(self, source: object, seek_mode: str = "exact") -> None:
        if source == b"":
            raise ValueError("no video")

    def __len__(self) -> int:
        return 47


def test_without_ffmpeg_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    _stand_in(monkeypatch, _Blind)
    with pytest.raises(UnavailableError) as caught:
        TorchCodecReader()
    assert caught.value.what == (
        "torchcodec cannot be used: it finds no FFmpeg 4 to 9, or fits another torch."
    )


def test_a_file_with_other_frames_is_refused(monkeypatch: pytest.MonkeyPatch, write_video) -> None:
    _stand_in(monkeypatch, _Miscounting)
    with pytest.raises(MediaError) as caught:
        TorchCodecReader().read(write_video(count=48), [0])
    assert caught.value.what == "torchcodec counts 47 frames in the video, and PyAV 48."
    assert caught.value.fix == "set video_reader=pyav"


def _stand_in(monkeypatch: pytest.MonkeyPatch, decoder: type) -> None:
    module = type(json)("torchcodec.decoders")
    module.VideoDecoder = decoder  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torchcodec", type(json)("torchcodec"))
    monkeypatch.setitem(sys.modules, "torchcodec.decoders", module)
