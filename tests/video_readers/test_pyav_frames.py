"""Frames by number, against a plain decode of the whole file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from plm_components.video_readers.pyav import PyAVReader
from plm_components.video_readers.pyav_index import index_frames

FILES = {
    "h264": {"name": "a.mp4"},
    "h264_no_b_frames": {"name": "a.mp4", "options": {"crf": "0", "bf": "0", "g": "7"}},
    "h264_short_groups": {"name": "a.mp4", "options": {"bf": "3", "g": "8"}},
    "h264_open_groups": {
        "name": "a.mkv",
        "options": {"bf": "3", "x264-params": "open-gop=1:keyint=10:min-keyint=10:scenecut=0"},
    },
    "h264_rolling_refresh": {
        "name": "a.mp4",
        "options": {"bf": "0", "x264-params": "intra-refresh=1:keyint=10"},
    },
    "h264_transport_stream": {"name": "a.ts", "options": {"bf": "2", "g": "12"}},
    "h264_in_avi": {"name": "a.avi", "options": {"bf": "2", "g": "12"}},
    "hevc": {"name": "a.mp4", "codec": "libx265", "options": {"x265-params": "log-level=none"}},
    "vp9": {"name": "a.webm", "codec": "libvpx-vp9", "options": {"g": "9"}},
    "vp8": {"name": "a.webm", "codec": "libvpx", "options": {"g": "9", "auto-alt-ref": "1"}},
    "av1": {"name": "a.mp4", "codec": "libsvtav1", "options": {"preset": "12", "g": "9"}},
    "mpeg4_in_avi": {"name": "a.avi", "codec": "mpeg4", "options": {"bf": "2", "g": "9"}},
    "mpeg2": {"name": "a.mpg", "codec": "mpeg2video", "options": {"bf": "2", "g": "9"}},
    "ntsc_rate": {"name": "a.mp4", "fps": Fraction(30000, 1001)},
    "slow": {"name": "a.mp4", "fps": Fraction(1, 4), "count": 6},
}  # fmt: skip


@pytest.fixture(params=FILES)
def video(request: pytest.FixtureRequest, write_video) -> Path:
    given = FILES[request.param]
    return write_video(**{"count": 30} | given)


def all_frames(path: Path) -> torch.Tensor:
    with av.open(str(path)) as container:
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return torch.from_numpy(np.stack(decoded)).permute(0, 3, 1, 2)


def test_every_frame_is_the_one_a_plain_decode_gives(video: Path) -> None:
    reader = PyAVReader()
    frames = all_frames(video)
    facts = reader.facts(video)
    assert facts.num_frames == len(frames)
    assert torch.equal(reader.read(video, range(len(frames))), frames)
    for index in range(0, len(frames), 3):
        assert torch.equal(reader.read(video, [index])[0], frames[index]), index


def test_indices_come_in_any_order_and_may_repeat(video: Path) -> None:
    frames = all_frames(video)
    wanted = [4, 0, 3, 3, len(frames) - 1, 0]
    assert torch.equal(PyAVReader().read(video, wanted), frames[wanted])


def test_facts_are_those_of_the_decoded_frames(video: Path) -> None:
    facts = PyAVReader().facts(video)
    with av.open(str(video)) as container:
        decoded = [(float(f.time), bool(f.key_frame)) for f in container.decode(video=0)]
    times = [time - decoded[0][0] for time, _ in decoded]
    if video.suffix == ".avi":
        # AVI keeps no time of presentation, and the decoder's guesses repeat themselves
        times = [number / 24 for number in range(len(times))]
    assert facts.pts_s == pytest.approx(times)
    assert facts.pts_s[0] == 0
    assert {n for n, (_, is_key) in enumerate(decoded) if is_key} <= set(facts.keyframe_indices)
    assert (facts.width, facts.height) == (64, 48)
    assert facts.duration_s > facts.pts_s[-1]
    assert facts.fps == pytest.approx(facts.num_frames / facts.duration_s)


@pytest.mark.parametrize(("rate", "count"), [(Fraction(30000, 1001), 30), (Fraction(1, 4), 6)])
def test_the_frame_rate_is_the_files(rate: Fraction, count: int, write_video) -> None:
    facts = PyAVReader().facts(write_video(fps=rate, count=count))
    assert facts.fps == pytest.approx(float(rate), rel=1e-3)
    assert facts.duration_s == pytest.approx(count / float(rate), rel=1e-3)


def test_a_varying_frame_rate_keeps_its_times(write_video) -> None:
    times_ms = [0, 40, 80, 500, 520, 1700, 1733, 2000]
    facts = PyAVReader().facts(write_video("a.mkv", count=8, pts=times_ms))
    assert facts.pts_s == pytest.approx([time / 1000 for time in times_ms], abs=2e-3)


def test_only_the_groups_of_wanted_frames_are_decoded(write_video) -> None:
    path = write_video(count=40, options={"bf": "0", "g": "10"})
    runs = index_frames(path).runs([12, 15, 35])
    assert [(run.start, run.end) for run in runs] == [(10, 15), (30, 35)]


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_rotation_and_mirroring_are_applied(degrees: int, mirrored: bool, write_video) -> None:
    pixels = np.zeros((48, 64, 3), dtype=np.uint8)
    pixels[:16, :32] = 255
    path = write_video(
        frames=np.stack([pixels] * 3),
        edit_stream=lambda stream: stream.set_display_rotation(degrees, hflip=mirrored),
    )
    expected = Image.fromarray(pixels).rotate(degrees, expand=True)
    if mirrored:
        expected = expected.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    (frame,) = PyAVReader().read(path, [1])
    facts = PyAVReader().facts(path)
    assert (facts.width, facts.height) == expected.size == (frame.shape[2], frame.shape[1])
    error = frame.permute(1, 2, 0).float() - torch.from_numpy(np.array(expected)).float()
    assert error.abs().mean() < 2


def test_a_file_that_was_replaced_is_indexed_anew(write_video) -> None:
    reader = PyAVReader()
    assert reader.facts(write_video(count=10)).num_frames == 10
    assert reader.facts(write_video(count=12)).num_frames == 12


def test_one_frame_is_a_video(write_video) -> None:
    path = write_video(count=1)
    facts = PyAVReader().facts(path)
    assert (facts.num_frames, facts.pts_s) == (1, (0.0,))
    assert facts.fps > 0
    assert PyAVReader().read(path, [0]).shape == (1, 3, 48, 64)


def test_an_animated_gif_is_a_video(tmp_path: Path) -> None:
    pictures = [Image.new("RGB", (32, 16), colour) for colour in ("red", "blue", "lime")]
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:], duration=100)
    frames = PyAVReader().read(tmp_path / "a.gif", [0, 1, 2])
    assert frames[:, :, 8, 16].tolist() == [[255, 0, 0], [0, 0, 255], [0, 255, 0]]
