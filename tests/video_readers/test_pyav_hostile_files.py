"""Files that cannot be read: one clear error each."""

from __future__ import annotations

import shutil
import wave
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from plm_components.errors import MediaError
from plm_components.video_readers.pyav import PyAVReader


def _missing(path: Path, video: Path) -> None: ...


def _directory(path: Path, video: Path) -> None:
    path.mkdir()


def _empty(path: Path, video: Path) -> None:
    path.touch()


def _text(path: Path, video: Path) -> None:
    path.write_text("This is no video.\n" * 100)


def _cut_before_the_index(path: Path, video: Path) -> None:
    whole = video.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def _cut_in_the_middle(path: Path, video: Path) -> None:
    with av.open(str(video)) as source, av.open(
        str(path), "w", format="mp4", options={"movflags": "faststart"}
    ) as target:  # fmt: skip
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * 0.7)])


def _audio(path: Path, video: Path) -> None:
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16000))


def _song_with_a_cover(path: Path, video: Path) -> None:
    Image.new("RGB", (32, 32), "red").save(path.with_suffix(".png"))
    with av.open(str(path), "w", format="mp4") as container:
        sound = container.add_stream("aac", rate=48000)
        cover = container.add_stream("mjpeg", options={"q": "2"})
        cover.width, cover.height, cover.pix_fmt = 32, 32, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
        container.mux(cover.encode(picture.reformat(format="yuvj420p")))
        container.mux(cover.encode())
        samples = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp")
        samples.sample_rate = 48000
        container.mux(sound.encode(samples))
        container.mux(sound.encode())


def _noise(path: Path, video: Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(20_000))


def _header_of_a_video_then_noise(path: Path, video: Path) -> None:
    path.write_bytes(video.read_bytes()[:64] + np.random.default_rng(0).bytes(20_000))


def _playlist(path: Path, video: Path) -> None:
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:2", "#EXTINF:2,", "http://127.0.0.1:9/a.ts"]
    path.write_text("\n".join([*lines, "#EXT-X-ENDLIST"]))


FAULTS: dict[str, tuple[str, Callable[[Path, Path], None], str]] = {
    "missing": ("a.mp4", _missing, "The video cannot be read: there is no such file."),
    "directory": ("a.mp4", _directory, "The video cannot be read: it is a directory."),
    "empty": ("a.mp4", _empty, "The video cannot be read: the file is empty."),
    "text": ("a.mp4", _text, "The video cannot be read: invalid data found when processing input."),
    "text as such": ("a.txt", _text, "The video cannot be read: there is no video in it."),
    "cut before its index": (
        "a.mp4",
        _cut_before_the_index,
        "The video cannot be read: invalid data found when processing input.",
    ),
    "cut in the middle": (
        "a.mp4",
        _cut_in_the_middle,
        "The video cannot be read: it is cut short, 26 of 48 frames are there.",
    ),
    "audio": ("a.wav", _audio, "The video cannot be read: there is no video in it."),
    "song": ("a.m4a", _song_with_a_cover, "The video cannot be read: there is no video in it."),
    "noise": ("a.mp4", _noise, "The video cannot be read: invalid data found when "),
    "header then noise": ("a.mp4", _header_of_a_video_then_noise, "The video cannot be read: "),
    "playlist": ("a.m3u8", _playlist, "The video cannot be read: "),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_one_clear_error(fault: str, tmp_path: Path, write_video) -> None:
    name, spoil, what = FAULTS[fault]
    path = tmp_path / "given" / name
    path.parent.mkdir()
    spoil(path, write_video())
    for use in (PyAVReader().facts, lambda path: PyAVReader().read(path, [0])):
        with pytest.raises(MediaError) as caught:
            use(path)
        assert caught.value.what.startswith(what)
        assert caught.value.where == str(path)


def test_the_whole_text(tmp_path: Path) -> None:
    with pytest.raises(MediaError) as caught:
        PyAVReader().facts(tmp_path / "a.mp4")
    assert str(caught.value) == (
        "The video cannot be read: there is no such file.\n"
        f"  where:    {tmp_path / 'a.mp4'}\n"
        "  expected: a video file that FFmpeg can decode: mp4, webm, mkv, mov, avi, …\n"
        "  fix:      check the path"
    )


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_an_image_is_no_video(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.new("RGB", (32, 32)).save(path)
    with pytest.raises(MediaError) as caught:
        PyAVReader().facts(path)
    assert caught.value.what == "An image was given as a video."
    assert caught.value.fix == "pass it as an image"


@pytest.mark.parametrize("indices", [[48], [-1], [0, 100]])
def test_a_frame_outside_the_file_is_refused(indices: list[int], write_video) -> None:
    with pytest.raises(MediaError) as caught:
        PyAVReader().read(write_video(), indices)
    assert caught.value.what == f"Frame {indices[-1]} was asked for, and the video has 48."
    assert caught.value.expected == "frames within 0..47, at least one"


def test_no_frame_is_refused(write_video) -> None:
    with pytest.raises(MediaError, match="No frame was asked for, and the video has 48"):
        PyAVReader().read(write_video(), [])


def test_a_webm_that_is_cut_has_the_frames_before_the_cut(tmp_path: Path, write_video) -> None:
    whole = write_video("a.webm", codec="libvpx-vp9").read_bytes()
    cut = tmp_path / "cut.webm"
    cut.write_bytes(whole[: len(whole) // 2])
    facts = PyAVReader().facts(cut)
    assert 0 < facts.num_frames < 48
    assert len(PyAVReader().read(cut, range(facts.num_frames))) == facts.num_frames


def test_a_name_that_means_something_to_ffmpeg_is_a_name(tmp_path: Path, write_video) -> None:
    path = tmp_path / "concat:a|b %d #.mp4"
    shutil.copy(write_video(), path)
    assert PyAVReader().facts(path).num_frames == 48


@pytest.mark.parametrize("name", ["a.mp4", "a.webm", "a.avi"])
def test_flipped_bytes_give_frames_or_one_error(name: str, tmp_path: Path, write_video) -> None:
    codec = "libvpx-vp9" if name == "a.webm" else "libx264"
    whole = bytearray(write_video(name, count=12, codec=codec).read_bytes())
    spoilt = tmp_path / f"spoilt-{name}"
    outcomes = []
    for seed in range(25):
        draw = np.random.default_rng(seed)
        copy = bytearray(whole)
        for place in draw.integers(0, len(copy), 12):
            copy[place] = draw.integers(0, 256)
        spoilt.write_bytes(copy)
        try:
            count = PyAVReader().facts(spoilt).num_frames
            outcomes.append(PyAVReader().read(spoilt, [0, count - 1]).shape[:2] == (2, 3))
        except MediaError as error:
            outcomes.append(error.where == str(spoilt))
    assert all(outcomes)
