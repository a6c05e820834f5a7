"""The report: one page and its pictures, from files of measurements."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from plm_components.bench.report.runs import read_run
from plm_components.errors import UnavailableError, UsageError

__all__ = ["write_report"]


def write_report(files: Sequence[str | Path], out_dir: str | Path) -> Path:
    """Writes ``index.html`` and its pictures into a folder of its own.

    What was measured on different machines, in different modes or dtypes, never shares a picture.
    Where several files of one machine measured the same, the latest is drawn, and all of them in
    its history.

    Args:
        files: As ``plm bench`` or our pytest plugin writes them.
        out_dir: A new or empty folder, or that of an earlier report, which is replaced.

    Returns:
        The page.

    Raises:
        MeasurementError: a file cannot be read, or holds nothing of ours.
        UsageError: no file is named, or something else lies in the folder.
        UnavailableError: matplotlib is not installed.
    """
    if not files:
        raise UsageError(
            "There is nothing to report.",
            where="bench.write_report",
            expected="one file of measurements or more",
            fix="plm bench SPEC --out FILE writes one",
        )
    runs = [read_run(Path(file)) for file in files]
    try:
        # drawing is optional: only here is it imported
        from plm_components.bench.report.write import write_runs
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] != "matplotlib":
            raise
        raise UnavailableError(
            "The report is drawn by matplotlib, which is not installed.",
            where="bench.write_report",
            expected="matplotlib 3.9 or newer",
            fix="pip install 'plm-components[bench]'",
        ) from error
    return write_runs(runs, Path(out_dir))
