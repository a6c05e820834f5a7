"""Trains plm-tiny from scratch.

    python -m plm_components.training.tiny --out runs/plm-tiny

On two CPU cores. ``--resume`` continues a run that was stopped. The result is a
directory that ``plm.load`` reads.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

# before torch: idle OpenMP threads that spin cost the other core up to 20 times its speed
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

import plm_components as plm
from plm_components.contracts import MediaKind
from plm_components.training.crew import Crew, crew_of
from plm_components.training.schedule import Recipe
from plm_components.training.tiny_run import TinyRun

_CHECK_EVERY, _SAVE_EVERY = 1000, 200
_CHECK_SCENES = 128


@dataclass
class _Meter:
    """What the progress bar says.

    Args:
        progress: The bar's owner.
        bar: The bar.
    """

    progress: Progress
    bar: TaskID
    _losses: dict[str, float] = field(default_factory=dict)
    _times: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=50))

    def show(self, run: TinyRun, losses: dict[str, float]) -> None:
        """After one step; losses are smoothed over some twenty steps of their kind."""
        for name, loss in losses.items():
            self._losses[name] = 0.95 * self._losses.get(name, loss) + 0.05 * loss
        self._times.append((time.monotonic(), run.recipe.num_scenes(run.step - 1)))
        shown = "  ".join(f"{name} {loss:.3f}" for name, loss in self._losses.items())
        self.progress.update(self.bar, completed=run.step, losses=shown, rate=self._rate())

    def _rate(self) -> str:
        elapsed = self._times[-1][0] - self._times[0][0]
        scenes = sum(count for _, count in self._times) - self._times[0][1]
        return f"{scenes / elapsed:.0f} scenes/s" if elapsed > 0 else ""


def train(
    recipe: Recipe, out: Path, *, resume: bool = False, console: Console | None = None
) -> Path:
    """Follows the recipe to its end.

    Args:
        recipe: What to do.
        out: Folder of the run: ``run.pt`` while it lasts, ``variant/`` when it is done.
        resume: Continue from ``run.pt``.
        console: Where progress is shown.

    Returns:
        The directory of the trained variant.

    Raises:
        CheckpointError: there is nothing to resume, or it followed another recipe.
    """
    console = console or Console(stderr=True)
    began, cpu_began = time.monotonic(), time.process_time()
    resumed = out / "run.pt" if resume else None
    with crew_of(recipe.processes, _follow, recipe, out, resumed) as crew:
        variant, run = _started(crew, recipe, resumed)
        checks = _lead(run, out, console)
    facts = {
        "recipe": asdict(recipe),
        "minutes": round((time.monotonic() - began) / 60, 1),
        "cpu_minutes": round((time.process_time() - cpu_began) / 60, 1),
        "development_accuracy": checks,
        "versions": {name: version(name) for name in ("torch", "timm", "numpy", "pillow")},
        "python": platform.python_version(),
    }
    directory = variant.save(out / "variant", overwrite=True, trained_by=_made_by(recipe))
    (out / "recipe.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    return directory


def _started(crew: Crew, recipe: Recipe, resumed: Path | None) -> tuple[plm.Variant, TinyRun]:
    """A fresh model, the same in every process, and the run that trains it."""
    variant = plm.assemble("plm-tiny", overrides=["weights=null"], init="random", seed=recipe.seed)
    run = TinyRun(recipe, variant.model, variant.processor.tokenizer, crew)
    if resumed is not None:
        run.resume(resumed)
    return variant, run


def _follow(crew: Crew, recipe: Recipe, out: Path, resumed: Path | None) -> None:
    """What every process but the first does."""
    _, run = _started(crew, recipe, resumed)
    while run.step < recipe.num_steps:
        _advance(run, out)


def _advance(run: TinyRun, out: Path) -> dict[str, float]:
    """One step, and the state of the run from time to time."""
    losses = run.train_step()
    if run.step % _SAVE_EVERY == 0:
        run.save(out / "run.pt")
    return losses


def _lead(run: TinyRun, out: Path, console: Console) -> dict[str, dict[str, float]]:
    """Trains to the end, saving and checking on the way; the last check."""
    checks: dict[str, dict[str, float]] = {}
    with _meter(console, run.recipe) as meter:
        while run.step < run.recipe.num_steps:
            meter.show(run, _advance(run, out))
            if run.step % _CHECK_EVERY == 0 or run.step == run.recipe.num_steps:
                checks = _check(run, console)
    return checks


def _made_by(recipe: Recipe) -> str:
    return (
        f"make train-tiny, seed {recipe.seed}, {recipe.num_steps} steps, torch {version('torch')}"
    )


def _check(run: TinyRun, console: Console) -> dict[str, dict[str, float]]:
    """Accuracy on development scenes so far, printed and returned."""
    kinds: list[MediaKind] = []
    if run.step > run.recipe.sight_steps:
        kinds.append("image")
    if run.step > run.recipe.sight_steps + run.recipe.image_steps:
        kinds.append("video")
    checks: dict[str, dict[str, float]] = {}
    for kind in kinds:
        checks[kind] = run.check(kind, _CHECK_SCENES)
        shown = "  ".join(f"{name} {100 * share:.0f}" for name, share in checks[kind].items())
        console.print(f"step {run.step}, {kind}s, % exact: {shown}", highlight=False)
    return checks


@contextmanager
def _meter(console: Console, recipe: Recipe) -> Iterator[_Meter]:
    columns: tuple[Any, ...] = (
        BarColumn(bar_width=24),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[rate]}  {task.fields[losses]}"),
    )
    with Progress(*columns, console=console) as progress:
        yield _Meter(progress, progress.add_task("", total=recipe.num_steps, losses="", rate=""))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="train plm-tiny from scratch on a CPU")
    parser.add_argument("--out", type=Path, default=Path("runs/plm-tiny"), help="folder of the run")
    parser.add_argument("--resume", action="store_true", help="continue a stopped run")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    directory = train(Recipe(seed=asked.seed), asked.out, resume=asked.resume)
    Console().print(f"trained: {directory}")


if __name__ == "__main__":
    main()
