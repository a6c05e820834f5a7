"""Examines a variant on held-out scenes of the tiny world, through files.

    python -m plm_components.evaluation.tiny --scenes 1000

Every scene is written as a PNG, JPEG, WebP or mp4 and read back by the variant's own parts. Each
question is asked alone. The last column of the table asks it again over another scene's medium:
what an answer owes to the question's words alone.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

# before torch: idle OpenMP threads that spin slow the other core down
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

import plm_components as plm
from plm_components.data import Question, Scene, ask_about_image, ask_about_video
from plm_components.data.image_questions import IMAGE_TYPES
from plm_components.data.records import write_image, write_video
from plm_components.data.scene import image_scene, video_scene
from plm_components.data.video_questions import VIDEO_TYPES
from plm_components.errors import UsageError
from plm_components.evaluation.scoring import Answered, Score, score_by_type
from plm_components.inference import generate

# training stays below 5e9, development between 5e9 and 9e9
HELD_OUT_SEEDS = 9_000_000_000
_BATCH = 8
_MAX_NEW_TOKENS = 24


def evaluate(
    variant: Any, medium: str, scenes: int, *, seed: int = HELD_OUT_SEEDS, questions: int = 3
) -> Iterator[list[Answered]]:
    """Asks about fresh scenes, a few at a time.

    Args:
        variant: What ``plm.assemble`` returns.
        medium: ``image`` or ``video``.
        scenes: How many.
        seed: Of the first scene; the next ones count on.
        questions: Questions a scene; types take turns, so each is asked about equally often.

    Returns:
        An iterator of answers, one list for each batch of scenes.

    Raises:
        UsageError: fewer than two scenes, or no questions.
    """
    if scenes < 2 or questions < 1:
        raise UsageError(
            f"{scenes} scenes and {questions} questions each were asked for.",
            where="evaluation.tiny",
            expected="at least two scenes, so that media can be swapped, and one question",
            fix="ask for more",
        )
    turn = _Turns(medium)
    for start in range(0, scenes, _BATCH):
        # a last batch of one could not swap its media
        size = min(_BATCH, scenes - start)
        seeds = range(seed + start, seed + start + max(2, size))
        with tempfile.TemporaryDirectory() as folder:
            yield _answer_batch(variant, medium, seeds, turn, questions, Path(folder))


class _Turns:
    """Hands out question types in turn."""

    def __init__(self, medium: str) -> None:
        self._types = IMAGE_TYPES if medium == "image" else VIDEO_TYPES
        self._ask = ask_about_image if medium == "image" else ask_about_video
        self._next = 0

    def questions(self, scene: Scene, number: int) -> list[Question]:
        """The next types that this scene can be asked about."""
        lots = Random(f"examine {scene.kind} {scene.seed}")
        asked: list[Question] = []
        while len(asked) < number:
            kind = self._types[self._next % len(self._types)]
            self._next += 1
            # some types need a scene where something happens; a few tries find it if it is there
            found = next((q for _ in range(6) if (q := self._ask(scene, lots, kind))), None)
            if found is not None:
                asked.append(found)
        return asked


def _answer_batch(
    variant: Any, medium: str, seeds: Sequence[int], turn: _Turns, questions: int, folder: Path
) -> list[Answered]:
    draw, write = (image_scene, write_image) if medium == "image" else (video_scene, write_video)
    scenes = [draw(seed) for seed in seeds]
    paths = [write(scene, folder) for scene in scenes]
    asked = [(place, q) for place, s in enumerate(scenes) for q in turn.questions(s, questions)]
    seen = [(paths[place], question.text) for place, question in asked]
    # the next scene's medium under this scene's question
    swapped = [(paths[(place + 1) % len(paths)], question.text) for place, question in asked]
    answers = ask_all(variant, medium, seen)
    blind = ask_all(variant, medium, swapped)
    return [
        Answered(medium, question.type, question.text, question.answer, answer, other)
        for (_, question), answer, other in zip(asked, answers, blind, strict=True)
    ]


def ask_all(variant: Any, medium: str, asked: Sequence[tuple[Path, str]]) -> list[str]:
    """Answers of many questions at once, the same as ``ask`` gives one by one."""
    conversations = [
        [{"role": "user", "content": [{"type": medium, medium: str(path)}, _text(text)]}]
        for path, text in asked
    ]
    tokenizer = variant.processor.tokenizer
    ids: list[list[int]] = [[] for _ in asked]
    for step_B in generate(
        variant.model,
        variant.processor(conversations),
        max_new_tokens=_MAX_NEW_TOKENS,
        stop_ids=tokenizer.stop_ids,
        pad_id=tokenizer.pad_id,
    ):
        for row, token in zip(ids, step_B.tolist(), strict=True):
            if token >= 0:
                row.append(token)
    return [tokenizer.decode(row) for row in ids]


def _text(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


def table(title: str, scores: dict[str, Score]) -> Table:
    """For people."""
    shown = Table(title=title)
    for name in ("type", "questions", "exact", "best constant", "other scene's medium"):
        shown.add_column(name, justify="left" if name == "type" else "right")
    for name, one in scores.items():
        shares = (f"{100 * share:.1f} %" for share in (one.exact, one.constant, one.shuffled))
        shown.add_row(name, str(one.count), *shares, style="bold" if name == "all" else "")
    return shown


def _run(asked: argparse.Namespace) -> dict[str, Any]:
    console = Console(stderr=True)
    variant = plm.assemble(asked.spec)
    found: dict[str, Any] = {"spec": asked.spec, "seed": asked.seed, "scenes": asked.scenes}
    with Progress(console=console, transient=True) as progress:
        for medium in ("image", "video"):
            bar = progress.add_task(f"{medium} scenes", total=asked.scenes)
            answered: list[Answered] = []
            for batch in evaluate(
                variant, medium, asked.scenes, seed=asked.seed, questions=asked.questions
            ):
                answered += batch
                progress.advance(bar, _BATCH)
            scores = score_by_type(answered)
            console.print(table(f"{medium}s", scores))
            found[medium] = {name: asdict(one) for name, one in scores.items()}
            found[medium]["wrong"] = [asdict(a) for a in answered if a.answer != a.truth]
    return found


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="exact match on held-out scenes")
    parser.add_argument("--spec", default="plm-tiny", help="a spec's name or path")
    parser.add_argument("--scenes", type=int, default=1000, help="pictures, and as many clips")
    parser.add_argument("--questions", type=int, default=3, help="a scene")
    parser.add_argument("--seed", type=int, default=HELD_OUT_SEEDS, help="of the first scene")
    parser.add_argument("--json", action="store_true", help="figures on standard output")
    asked = parser.parse_args()
    found = _run(asked)
    if asked.json:
        print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
