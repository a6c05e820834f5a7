"""``plm bench``: every registered kernel on the exact shapes of a spec, and what it is worth."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plm_components.cli.offered import offered_zoo
from plm_components.cli.output import print_json
from plm_components.errors import UsageError

if TYPE_CHECKING:
    from plm_components.bench.composition import Benched
    from plm_components.bench.record import Mode

# what an option is where nobody says it
_DEFAULTS: dict[str, Any] = {
    "input": "1tile",
    "device": "cpu",
    "dtype": "bfloat16",
    "backward": False,
    "text_tokens": 64,
    "only": [],
    "mode": None,
    "time": 1.0,
    "whole": False,
    "ab": None,
    "budget": "3%",
    "out": None,
    "tune": None,
}
# seconds of rounds for each part
_MOST_S = 3600
# which of them mean something to what is made of files
_OF_FILES = {"report": ("out",), "tune": ("out", "mode")}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument(
        "spec",
        help="name of a shipped spec or path of a YAML file; or one of the words report and tune, "
        "for a page or a table out of files that --out wrote",
    )
    parser.add_argument(
        "overrides",
        nargs="*",
        default=[],
        metavar="KEY=VALUE",
        help="changes, e.g. projector.pool=4; behind report and tune: the files",
    )
    _add_request(parser)
    _add_measurement(parser)
    parser.add_argument(
        "--out",
        metavar="FILE",
        help="keep every round in this JSON file; of report the folder, of tune the table",
    )
    parser.add_argument(
        "--tune", metavar="FILE", help="write the table that attention: auto chooses by"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    # a list of its own for each parser
    parser.set_defaults(**{**_DEFAULTS, "only": []})


def _add_request(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--input",
        metavar="WHAT",
        help="1tile (default), 36tiles, 32frames, any number of either; prefill or decode alone",
    )
    parser.add_argument("--device", help="cpu (default), cuda, …")
    parser.add_argument("--dtype", help="bfloat16 (default), float32, …")
    parser.add_argument("--backward", action="store_true", help="with gradients")
    parser.add_argument(
        "--text-tokens",
        type=int,
        metavar="N",
        help="positions of the prompt that are no media (default: 64)",
    )


def _add_measurement(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--only",
        action="append",
        metavar="KIND|PART",
        help="only this kind, or this part beside the oracle and the spec's (may be repeated)",
    )
    parser.add_argument(
        "--mode",
        action="append",
        choices=("cold", "warm", "graph", "cpu"),
        help="how to time; on a GPU cold, warm or graph, the first is priced (may be repeated)",
    )
    parser.add_argument(
        "--time",
        type=float,
        metavar="SECONDS",
        help="of timed rounds for each part on each operation (default: 1)",
    )
    parser.add_argument(
        "--whole",
        action="store_true",
        help="measure whole stages too, with random weights; without it they are estimated",
    )
    parser.add_argument(
        "--ab",
        nargs=2,
        metavar=("PART", "PART"),
        help="compare the second part with the first; 1 when it is slower",
    )
    parser.add_argument("--budget", help="of --ab: what it may be slower by (default: 3%%)")


def run(args: argparse.Namespace) -> int:
    """Benches; 1 when a part gave a wrong answer, or was slower with ``--ab``."""
    if args.spec in _OF_FILES:
        return _from_files(args)
    # neither comparison holds of what is not a number
    if not 0 < args.time <= _MOST_S:
        raise UsageError(
            f"No part can be timed for {args.time:g} seconds.",
            where="plm bench --time",
            expected=f"more than 0, and an hour ({_MOST_S}) at most",
            fix="--time 1",
        )
    if args.text_tokens < 0:
        raise UsageError(
            f"No prompt has {args.text_tokens} positions.",
            where="plm bench --text-tokens",
            expected="0 or more",
            fix=f"--text-tokens {_DEFAULTS['text_tokens']}",
        )
    return _compare(args) if args.ab else _bench(args)


def _from_files(args: argparse.Namespace) -> int:
    """A page, or a table, out of what was measured before."""
    idle = [name for name in _DEFAULTS if name not in _OF_FILES[args.spec]]
    _refuse_idle(args, f"plm bench {args.spec}", idle)
    if not args.overrides or not args.out:
        raise UsageError(
            f"{args.spec} needs files and a place to write to.",
            where=f"plm bench {args.spec}",
            expected="files that plm bench --out wrote, and --out",
            fix=f"plm bench {args.spec} measured.json --out "
            + ("page" if args.spec == "report" else "table.json"),
        )
    files, out = [Path(name) for name in args.overrides], Path(args.out)
    if args.spec == "report":
        from plm_components.bench.report import write_report

        out = write_report(files, out)
    else:
        from plm_components.bench.tuning import tune_files

        mode = _one_mode(args, "plm bench tune")
        tune_files(out, files, mode=mode, zoo=offered_zoo(args.plugin))
    if args.json:
        print_json({"written": [str(out)]})
    else:
        print(f"written: {out}")
    return 0


def _bench(args: argparse.Namespace) -> int:
    from plm_components.bench.composition import bench
    from plm_components.cli.bench_tables import benched_to_dict, print_benched

    _refuse_idle(args, "plm bench without --ab", ["budget"])
    zoo = offered_zoo(args.plugin)
    _require_places(args.out, args.tune)
    with _progress() as tell:
        found = bench(
            args.spec,
            args.input,
            **_request(args),
            modes=args.mode,
            only=args.only,
            whole=args.whole,
            zoo=zoo,
            on_progress=tell,
        )
    kept = _keep(found, args, zoo)
    if args.json:
        print_json({**benched_to_dict(found), "written": kept})
    else:
        print_benched(found)
        for name in kept:
            print(f"written: {name}")
    wrong = [one for one in found.all_records if one.verdict is not None and one.verdict.fault]
    return 1 if wrong else 0


def _request(args: argparse.Namespace) -> dict[str, Any]:
    return {
        "overrides": args.overrides,
        "dtype": args.dtype,
        "device": args.device,
        "backward": args.backward,
        "text_tokens": args.text_tokens,
        "time_s": args.time,
    }


def _keep(found: Benched, args: argparse.Namespace, zoo: Any) -> list[str]:
    """Writes the files that were asked for; their names."""
    from plm_components.bench.files import write
    from plm_components.bench.tuning import tune

    if args.out:
        write(Path(args.out), found.all_records, found.hardware)
    if args.tune:
        tune(Path(args.tune), found.all_records, found.hardware, mode=found.modes[0], zoo=zoo)
    return [name for name in (args.out, args.tune) if name]


def _one_mode(args: argparse.Namespace, where: str) -> Mode | None:
    """The mode of what has one; None where nobody said which."""
    modes: list[Mode] = list(dict.fromkeys(args.mode or ()))
    if len(modes) > 1:
        raise UsageError(
            f"Times of {' and '.join(modes)} are not comparable.",
            where=where,
            expected="one --mode",
            fix=f"--mode {modes[0]}",
        )
    return modes[0] if modes else None


def _require_places(*names: str | None) -> None:
    """Before anything is measured: minutes of work have to be written somewhere."""
    files = [Path(name).resolve() for name in names if name]
    if len(set(files)) < len(files):
        raise UsageError(
            "The table would replace the measurements.",
            where="plm bench",
            expected="another file for --tune than for --out",
            fix=f"--tune {files[0].stem}-table.json",
        )
    for name, file in zip(filter(None, names), files, strict=True):
        if file.is_dir() or (file.parent.is_dir() and not os.access(file.parent, os.W_OK)):
            raise UsageError(
                f"No file {name} can be written.",
                where="plm bench",
                expected="a file in a folder that may be written to",
                fix="name another file",
            )
        if not file.parent.is_dir():
            raise UsageError(
                f"There is no folder for {name}.",
                where="plm bench",
                expected="a file in a folder that exists",
                fix=f"mkdir -p {Path(name).parent}",
            )


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """What is being done: one line that changes on a terminal, else a line each; on stderr."""
    import sys

    from rich.console import Console

    if not sys.stderr.isatty():
        yield lambda text: print(f"… {text}", file=sys.stderr, flush=True)
        return
    with Console(stderr=True).status("") as status:
        # not as markup: a name may hold square brackets
        yield lambda text: status.update(text.replace("[", "\\["))


def _compare(args: argparse.Namespace) -> int:
    from plm_components.bench.ab import compare_parts
    from plm_components.bench.budgets import read_budget
    from plm_components.cli.bench_tables import compared_to_dict, print_compared

    _refuse_idle(args, "plm bench --ab", ["only", "whole", "out", "tune"])
    mode = _one_mode(args, "plm bench --ab")
    with _progress() as tell:
        found = compare_parts(
            args.spec,
            args.input,
            *args.ab,
            **_request(args),
            budget=read_budget(args.budget),
            mode=mode,
            zoo=offered_zoo(args.plugin),
            on_progress=tell,
        )
    if args.json:
        print_json({"baseline": args.ab[0], "candidate": args.ab[1], **compared_to_dict(found)})
    else:
        print_compared(args.ab, found)
    compared = [one.comparison for one in found if one.comparison]
    slower = any(one.finding == "slower" for one in compared)
    # who could not be compared anywhere has not shown that it is no slower
    return 1 if slower or not compared or any(one.is_wrong for one in found) else 0


def _refuse_idle(args: argparse.Namespace, where: str, names: Sequence[str]) -> None:
    """No option is ignored."""
    said = [name for name in names if getattr(args, name) != _DEFAULTS[name]]
    if said:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in said)
        raise UsageError(
            f"{options} would mean nothing here.",
            where=where,
            expected="options that are obeyed",
            fix=f"leave out {options}",
        )
