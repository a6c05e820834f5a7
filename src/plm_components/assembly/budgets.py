"""Tokens of tiles, images, videos and whole requests against the decoder's positions."""

from __future__ import annotations

from typing import NamedTuple

from plm_components.assembly.candidates import nearby, raised, scaled
from plm_components.assembly.examination import Examination
from plm_components.contracts import MediaSlot, Turn
from plm_components.errors import PlmError

VIDEO_SLOTS = ("video_sampler", "video_reader", "frame_transform")


class _Medium(NamedTuple):
    name: str
    slot: str
    tiles: int


def tiles_per_image(exam: Examination) -> int | None:
    """Tiles of the largest image, or None where the variant takes none."""
    tiler = exam.parts.image_tiler
    return None if tiler is None else int(tiler.max_tiles_per_image())


def frames_per_video(exam: Examination) -> int | None:
    """Frames of the longest video, or None where the variant takes none."""
    sampler = exam.parts.video_sampler
    return None if sampler is None else int(sampler.max_frames_per_video())


def check_positions(exam: Examination) -> None:
    """One tile, the largest image and the longest video must leave room for words."""
    if exam.tokens_per_tile is None or exam.parts.decoder is None:
        return
    around = _words_around_a_medium(exam)
    media = _media(exam)
    largest = max((medium.tiles for medium in media), default=0)
    exam.largest_request = largest * exam.tokens_per_tile + around
    if exam.tokens_per_tile + around > exam.parts.decoder.max_positions:
        _tile_too_long(exam, around)
        return
    for medium in media:
        _check_medium(exam, medium, around)


def _media(exam: Examination) -> list[_Medium]:
    media = []
    if (tiles := tiles_per_image(exam)) is not None:
        media.append(_Medium("The largest image", "image_tiler", tiles))
    if (frames := frames_per_video(exam)) is not None:
        media.append(_Medium("The longest video", "video_sampler", frames))
    return media


def _words_around_a_medium(exam: Examination) -> int:
    """Tokens of the template, one of a question and one of an answer."""
    tokenizer = exam.parts.tokenizer
    if tokenizer is None:
        return 2
    turn = Turn("user", (MediaSlot("image", 1, 0), "?"))
    try:
        encoded = tokenizer.encode_conversation([turn], generation_prompt=True)
    except PlmError as error:
        exam.find_error(error, f"tokenizer ({error.where})")
        return 2
    return len(encoded.input_ids)


def _tile_too_long(exam: Examination, around: int) -> None:
    exam.find(
        f"One tile takes {exam.tokens_per_tile:,} positions, more than the decoder has room for.",
        where="projector -> decoder",
        expected=f"at most {max(0, exam.parts.decoder.max_positions - around):,} tokens a tile: "
        f"{exam.parts.decoder.max_positions:,} positions less {around} for words",
        fix="let the projector give fewer tokens, or choose a decoder with more positions",
        candidates=(
            *nearby(exam.part("projector"), radius=8),
            *raised(exam.part("decoder"), "max_positions", exam.largest_request or 0),
        ),
    )


def _check_medium(exam: Examination, medium: _Medium, around: int) -> None:
    per_tile, room = exam.tokens_per_tile or 0, exam.parts.decoder.max_positions - around
    if medium.tiles * per_tile <= room:
        return
    part = exam.part(medium.slot)
    unit = "tiles" if medium.slot == "image_tiler" else "frames"
    exam.find(
        f"{medium.name} takes {medium.tiles * per_tile:,} positions "
        f"({medium.tiles} {unit} of {per_tile}), more than the decoder has room for.",
        where=f"{medium.slot} -> decoder",
        expected=f"at most {room // per_tile} {unit}: {exam.parts.decoder.max_positions:,} "
        f"positions less {around} for words",
        fix=f"let {medium.slot} give fewer {unit}, or the projector fewer tokens",
        candidates=(
            *scaled(part, count=medium.tiles, allowed=room // per_tile),
            *nearby(exam.part("projector"), radius=8),
            *raised(exam.part("decoder"), "max_positions", medium.tiles * per_tile + around),
        ),
    )
