"""Draws, asks, compares with the truth, and leaves a picture of all of it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from plm_components.data import Question
from plm_components.demo.folder import SHEET, require_ours, signed
from plm_components.demo.scenes import DrawnMedium, draw_image, draw_video, require_seed
from plm_components.demo.sheet import Exchange, Frame, Story, draw_sheet
from plm_components.opening import assemble
from plm_components.variant import Variant
from plm_components.zoo import OURS

_NUM_QUESTIONS = 4


@dataclass(frozen=True)
class Demo:
    """What a demo left behind.

    Args:
        seed: It was drawn from.
        image: The picture that was asked about.
        video: The clip that was asked about.
        sheet: The page with everything on it.
        exchanges: Questions, truths and answers; those of the image first.
    """

    seed: int
    image: Path
    video: Path
    sheet: Path
    exchanges: tuple[Exchange, ...]

    @property
    def num_right(self) -> int:
        """Answers that are the truth, word for word."""
        return sum(one.right for one in self.exchanges)


def run_demo(
    seed: int, out: Path, *, variant: Variant | None = None, to: TextIO | None = None
) -> Demo:
    """Draws a new image and a new video and asks four questions of each.

    Args:
        seed: Of the scenes; the same seed gives the same files.
        out: Folder for ``image.png``, ``video.mp4`` and ``demo.png``; made if it is not
            there; an earlier demo in it is replaced.
        variant: Who is asked; plm-tiny if None.
        to: Where the answers are streamed; stdout if None.

    Raises:
        UsageError: a seed out of range, or a file of others in the way.
    """
    stream = sys.stdout if to is None else to
    require_seed(seed)
    require_ours(out)
    # first, so that weights that are missing leave no half-filled folder behind; a plugin may ship
    # a spec of the same name
    variant = assemble(f"{OURS}:plm-tiny") if variant is None else variant
    out.mkdir(parents=True, exist_ok=True)
    image = draw_image(seed, out, _NUM_QUESTIONS)
    video = draw_video(seed, out, _NUM_QUESTIONS)
    said_of_image = _ask_all(variant, image, "image", stream)
    said_of_video = _ask_all(variant, video, "video", stream)
    story = Story(
        title="plm-tiny looks at something new",
        subtitle=f"{_parameters(variant)}, trained from scratch in this repository · seed {seed}",
        image=image.frame(0),
        image_exchanges=said_of_image,
        frames=_frames_seen(variant, video),
        video_exchanges=said_of_video,
        footer=f"make demo SEED={seed}",
    )
    sheet = out / SHEET
    draw_sheet(story).save(sheet, optimize=True, pnginfo=signed())
    return Demo(seed, image.path, video.path, sheet, (*said_of_image, *said_of_video))


def _ask_all(
    variant: Variant, medium: DrawnMedium, kind: str, stream: TextIO
) -> tuple[Exchange, ...]:
    print(f"\n{medium.path}", file=stream)
    return tuple(_ask(variant, medium.path, kind, one, stream) for one in medium.questions)


def _ask(variant: Variant, path: Path, kind: str, question: Question, stream: TextIO) -> Exchange:
    print(f"\n  {question.text}\n    truth   {question.answer}\n    answer  ", end="", file=stream)
    pieces: list[str] = []
    image, video = (path, None) if kind == "image" else (None, path)
    for piece in variant.ask(question.text, image=image, video=video, stream=True):
        pieces.append(piece)
        print(piece, end="", file=stream, flush=True)
    exchange = Exchange(question.text, question.answer, "".join(pieces))
    print("   right" if exchange.right else "   wrong", file=stream)
    return exchange


def _frames_seen(variant: Variant, video: DrawnMedium) -> Sequence[Frame]:
    """The frames that the variant's sampler chose."""
    content = [{"type": "video", "video": str(video.path)}, {"type": "text", "text": "what?"}]
    span = variant.processor([{"role": "user", "content": content}]).media[0]
    chosen = zip(span.frame_indices, span.timestamps, strict=True)
    return [Frame(video.frame(index), time_s) for index, time_s in chosen]


def _parameters(variant: Variant) -> str:
    count = sum(parameter.numel() for parameter in variant.model.parameters())
    return f"{count / 1e6:.1f} million parameters"
