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
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any

# before torch: idle OpenMP threads that spin slow the other core down
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch
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
from plm_components.inference import FeatureCache, generate

# training stays below 5e9, development between 5e9 and 9e9; at 9e9 earlier weights were examined
HELD_OUT_SEEDS = 12_000_000_000
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
    for places in _batches(scenes, questions):
        yield _answer_batch(variant, medium, seed, places, questions)


def _batches(scenes: int, questions: int) -> list[range]:
    """Scenes by their places, a few together; never one alone, which could not swap its medium."""
    if scenes < 2 or questions < 1:
        raise UsageError(
            f"{scenes} scenes and {questions} questions each were asked for.",
            where="evaluation.tiny",
            expected="at least two scenes, so that media can be swapped, and one question",
            fix="ask for more",
        )
    starts = range(0, scenes - 1, _BATCH)
    return [range(start, scenes if start == starts[-1] else start + _BATCH) for start in starts]


def _questions(scene: Scene, place: int, number: int) -> list[Question]:
    """Of the types whose turn it is at this place, those the scene can be asked about."""
    types = IMAGE_TYPES if scene.kind == "image" else VIDEO_TYPES
    ask = ask_about_image if scene.kind == "image" else ask_about_video
    lots = Random(f"examine {scene.kind} {scene.seed}")
    asked: list[Question] = []
    turn = place * number
    while len(asked) < number:
        kind = types[turn % len(types)]
        turn += 1
        # some types need a scene where something happens; a few tries find it if it is there
        found = next((q for _ in range(6) if (q := ask(scene, lots, kind))), None)
        if found is not None:
            asked.append(found)
    return asked


def _answer_batch(
    variant: Any, medium: str, seed: int, places: range, questions: int
) -> list[Answered]:
    draw, write = (image_scene, write_image) if medium == "image" else (video_scene, write_video)
    scenes = [draw(seed + place) for place in places]
    with tempfile.TemporaryDirectory() as folder:
        paths = [write(scene, Path(folder)) for scene in scenes]
        asked = [
            (n, question)
            for n, (scene, place) in enumerate(zip(scenes, places, strict=True))
            for question in _questions(scene, place, questions)
        ]
        seen = [(paths[n], question.text) for n, question in asked]
        # the next scene's medium under this scene's question
        swapped = [(paths[(n + 1) % len(paths)], question.text) for n, question in asked]
        cache = FeatureCache()
        answers = ask_all(variant, medium, seen, cache)
        blind = ask_all(variant, medium, swapped, cache)
    return [
        Answered(medium, question.type, question.text, question.answer, answer, other)
        for (_, question), answer, other in zip(asked, answers, blind, strict=True)
    ]


def ask_all(
    variant: Any,
    medium: str,
    asked: Sequence[tuple[Path, str]],
    cache: FeatureCache | None = None,
) -> list[str]:
    """Answers of many questions at once, the same as ``ask`` gives one by one.

    Args:
        variant: Who is asked.
        medium: ``image`` or ``video``.
        asked: Files and questions.
        cache: Features of files seen before, as ``ask`` keeps them too.
    """
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
        feature_cache=cache,
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


@dataclass(frozen=True)
class _Work:
    """One batch of scenes, for whichever process is free."""

    medium: str
    seed: int
    places: range
    questions: int


# the variant of this process; a process of the pool assembles it when it starts
_worker: list[Any] = []


def _begin(spec: str) -> None:
    _worker[:] = [plm.assemble(spec)]


def _begin_beside_others(spec: str) -> None:
    torch.set_num_threads(1)
    _begin(spec)


def _do(work: _Work) -> list[Answered]:
    return _answer_batch(_worker[0], work.medium, work.seed, work.places, work.questions)


@contextmanager
def _workers(spec: str, processes: int) -> Iterator[Callable[..., Iterable[list[Answered]]]]:
    """A ``map`` over this process, or over several."""
    if processes == 1:
        _begin(spec)
        yield map
        return
    with get_context("spawn").Pool(processes, _begin_beside_others, (spec,)) as pool:
        yield pool.imap


def _run(asked: argparse.Namespace) -> dict[str, Any]:
    console = Console(stderr=True)
    batches = _batches(asked.scenes, asked.questions)
    found: dict[str, Any] = {"spec": asked.spec, "seed": asked.seed, "scenes": asked.scenes}
    bars = Progress(console=console, transient=True)
    with _workers(asked.spec, asked.processes) as do_all, bars as progress:
        for medium in ("image", "video"):
            works = [_Work(medium, asked.seed, places, asked.questions) for places in batches]
            done = progress.track(do_all(_do, works), total=len(works), description=f"{medium}s")
            answered = [one for batch in done for one in batch]
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
    parser.add_argument("--processes", type=int, default=2, help="that share the scenes")
    parser.add_argument("--json", action="store_true", help="figures on standard output")
    asked = parser.parse_args()
    found = _run(asked)
    if asked.json:
        print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
