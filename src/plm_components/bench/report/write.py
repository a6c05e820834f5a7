"""Writes the report of some runs into a folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from plm_components.atomic import atomic_directory
from plm_components.bench.report import page, pictures
from plm_components.bench.report.conditions import conditions
from plm_components.bench.report.runs import Run
from plm_components.bench.report.subjects import latest, panels, several
from plm_components.errors import UsageError

INDEX = "index.html"


def write_runs(runs: Sequence[Run], out_dir: Path) -> Path:
    """Writes ``index.html`` and its pictures.

    Args:
        runs: What was measured; of one subject measured several times on one machine the last is
            drawn, and all of them in its history.
        out_dir: A new or empty folder, or that of an earlier report, which is replaced.

    Returns:
        The page.

    Raises:
        UsageError: something else lies in the folder.
    """
    _require_ours(out_dir)
    with atomic_directory(out_dir) as folder:
        machines = list(dict.fromkeys(run.slug for run in runs))
        sections = [
            section
            for slug in machines
            for section in _machine([run for run in runs if run.slug == slug], folder)
        ]
        text = page.page("Kernels, measured", sections)
        (folder / INDEX).write_text(text, encoding="utf-8")
    return out_dir / INDEX


def _machine(runs: Sequence[Run], folder: Path) -> Iterator[str]:
    found = panels(runs)
    topics = latest(found)
    yield page.heading(runs[-1].hardware, 2)
    yield page.at_a_glance(topics)
    for topic, members in topics.items():
        yield page.heading(f"{topic.title} ({topic.mode})", 3)
        # where everybody was refused there is nothing to draw
        shown = [panel for panel in members if panel.standings or panel.wrong]
        if shown:
            yield page.picture(pictures.bars(shown, folder))
            yield page.figures(shown)
        yield page.excluded(members)
    everything = [panel for members in topics.values() for panel in members]
    for roofline in pictures.rooflines(everything, folder):
        yield page.heading("The roofline", 3)
        yield page.picture(roofline)
    for topic, rows in several(found).items():
        yield page.heading(f"{topic.title} ({topic.mode}): history", 3)
        yield page.picture(pictures.history(topic, rows, folder))
    yield page.heading("Conditions", 3)
    for run in runs:
        yield page.facts(_told(run))


def _told(run: Run) -> dict[str, object]:
    known = {"file": run.name, "measured": run.when, "commit": run.commit or "not known"}
    return {**known, **run.facts, **conditions(run.records)}


def _require_ours(folder: Path) -> None:
    """Refuses a folder in which something else than a report lies."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    index = folder / INDEX
    if not index.is_file() or page.GENERATOR not in index.read_text("utf-8", "replace")[:500]:
        raise UsageError(
            "A report is written into a folder of its own.",
            where=str(folder),
            expected="a new or empty folder, or that of an earlier report, which is replaced",
            fix="choose another folder: plm bench report --out FOLDER",
        )
