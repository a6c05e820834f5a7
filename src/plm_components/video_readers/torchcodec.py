"""FFmpeg through torchcodec, which finds it among the system's libraries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from plm_components.contracts.media import VideoFacts
from plm_components.errors import MediaError, UnavailableError
from plm_components.video_readers.faults import broken, refuse_outside
from plm_components.video_readers.pyav import PyAVReader
from plm_components.video_readers.pyav_index import index_frames

_NO_LIBRARY = "Could not load libtorchcodec"


class TorchCodecReader:
    """Exact frames by number, decoded by torchcodec.

    Unusual: the facts are ``video_reader/pyav``'s, since torchcodec tells no frame's time without
    decoding it; a file in which the two count different frames is refused.

    Raises:
        UnavailableError: torchcodec is not installed, or finds no FFmpeg.
    """

    def __init__(self) -> None:
        self._decoder_class = _load_decoder_class()
        self._facts = PyAVReader().facts

    def facts(self, path: Path) -> VideoFacts:
        """What the packets and the first frame say.

        Raises:
            MediaError: no file, no video, or one that is cut short or damaged.
        """
        return self._facts(path)

    def read(self, path: Path, indices: Sequence[int]) -> Tensor:
        """uint8 RGB ``(F, 3, H, W)``, one frame an index; indices may repeat, in any order.

        Raises:
            MediaError: an index outside the file, a frame that cannot be decoded, or a file that
                torchcodec sees otherwise than PyAV.
        """
        index = index_frames(path)
        refuse_outside(path, indices, len(index.times))
        try:
            decoder = self._decoder_class(str(path), seek_mode="exact")
            num_frames = len(decoder)
            if num_frames == len(index.times) and not index.is_mirrored:
                frames_F3HW: Tensor = decoder.get_frames_at(list(indices)).data
                return frames_F3HW
        # the library raises RuntimeError, ValueError and IndexError alike
        except Exception as error:
            raise broken(path, _last_words(error)) from error
        raise _other_frames(path, num_frames, len(index.times), index.is_mirrored)


def _load_decoder_class() -> Any:
    try:
        from torchcodec.decoders import VideoDecoder
    except (ImportError, OSError, RuntimeError) as error:
        raise _unavailable(f"it cannot be imported ({_last_words(error)})") from error
    try:
        # no video: the libraries are only loaded with the first decoder
        VideoDecoder(b"")
    except Exception as error:
        if _NO_LIBRARY in str(error):
            raise _unavailable("it finds no FFmpeg 4 to 9, or fits another torch") from error
    return VideoDecoder


def _unavailable(why: str) -> UnavailableError:
    return UnavailableError(
        f"torchcodec cannot be used: {why}.",
        where="video_reader/torchcodec",
        expected="torchcodec for this torch, and FFmpeg's shared libraries on the system",
        fix="install FFmpeg (apt install ffmpeg) and torchcodec, or set video_reader=pyav",
    )


def _other_frames(path: Path, theirs: int, ours: int, is_mirrored: bool) -> MediaError:
    what = f"torchcodec counts {theirs} frames in the video, and PyAV {ours}."
    return MediaError(
        "The video is mirrored, which torchcodec leaves out." if is_mirrored else what,
        where=str(path),
        expected="a file in which every reader sees the same frames",
        fix="set video_reader=pyav",
    )


def _last_words(error: Exception) -> str:
    """The end of a message; torchcodec's begin with a place in its own sources."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][-200:].rstrip(".") if lines else type(error).__name__
