"""What ``--input`` means for a spec: how many tiles, how long a prompt, which stages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from plm_components.errors import UsageError

Stage = Literal["encode", "project", "prefill", "decode"]
STAGES: tuple[Stage, ...] = ("encode", "project", "prefill", "decode")
# a system turn, the template and a question of a dozen words, whatever the tokenizer
TEXT_TOKENS = 64


@dataclass(frozen=True)
class Request:
    """One question about one medium.

    Args:
        text: As it was asked for, ``36tiles``.
        num_tiles: Tiles or frames that the encoder sees.
        stages: What is looked at.
        text_tokens: Positions of the prompt that are no media.
    """

    text: str
    num_tiles: int
    stages: tuple[Stage, ...]
    text_tokens: int = TEXT_TOKENS


def request_of(text: str, parts: Any, *, text_tokens: int = TEXT_TOKENS) -> Request:
    """Reads ``36tiles``, ``1tile``, ``32frames``, ``prefill`` or ``decode``.

    ``36tiles`` is an image on a canvas of 36 tiles; the tiler says how many tiles that is (PLM's
    puts a thumbnail in front). ``1tile`` is a tile alone, as each of several images gets.
    ``prefill`` and ``decode`` are that stage alone, behind the largest image or, where the variant
    takes none, the longest video.

    Args:
        text: What was asked for.
        parts: The built parts of the composition.
        text_tokens: Positions of the prompt that are no media.

    Raises:
        UsageError: nothing of the kind, or more than the composition takes.
    """
    if text in ("prefill", "decode"):
        stage: Stage = "prefill" if text == "prefill" else "decode"
        return Request(text, _largest(parts), (stage,), text_tokens)
    found = re.fullmatch(r"([1-9]\d{0,4})(tiles?|frames?)", text)
    if found is None:
        raise UsageError(
            f"There is no input {text!r}.",
            where="bench, input",
            expected="36tiles (any number), 32frames (any number), prefill or decode",
            fix="--input 1tile",
        )
    count = int(found[1])
    tiles = _tiles(count, parts) if found[2].startswith("tile") else _frames(count, parts)
    return Request(text, tiles, STAGES, text_tokens)


def _largest(parts: Any) -> int:
    if parts.image_tiler is not None:
        return int(parts.image_tiler.max_tiles_per_image())
    if parts.video_sampler is not None:
        return int(parts.video_sampler.max_frames_per_video())
    return 0


def _tiles(count: int, parts: Any) -> int:
    """Tiles of an image that fills a canvas of ``count``."""
    tiler = parts.image_tiler
    if count == 1:
        return 1
    for columns in range(1, count + 1 if tiler is not None else 0):
        if count % columns == 0:
            side = tiler.tile_size
            plan = tiler.plan(columns * side, count // columns * side)
            if plan.columns * plan.rows == count:
                return int(plan.num_tiles)
    most = "no image" if tiler is None else f"at most {tiler.max_tiles_per_image()} tiles an image"
    raise _too_many(f"No image of this composition has a canvas of {count} tiles.", most, "tiles")


def _frames(count: int, parts: Any) -> int:
    sampler = parts.video_sampler
    most = 0 if sampler is None else int(sampler.max_frames_per_video())
    if count > most:
        raise _too_many(
            f"No video of this composition has {count} frames.", f"at most {most} frames", "frames"
        )
    return count


def _too_many(what: str, expected: str, unit: str) -> UsageError:
    slot = "image_tiler" if unit == "tiles" else "video_sampler"
    return UsageError(
        what,
        where="bench, input",
        expected=f"what its {slot} gives: {expected}",
        fix=f"--input with fewer {unit}, or an override of {slot}",
    )
