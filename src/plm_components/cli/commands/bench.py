"""``plm bench``: every registered kernel on the exact shapes of a spec, and what it is worth."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plm_components.cli.offered import offered_zoo
from plm_components.cli.output import print_json
from plm_components.errors import UsageError

if TYPE_CHECKING:
    from plm_components.bench.composition import Benched


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


def _add_request(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--input",
        default="1tile",
        metavar="WHAT",
        help="1tile (default), 36tiles, 32frames, any number of either; prefill or decode alone",
    )
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda, …")
    parser.add_argument("--dtype", default="bfloat16", help="bfloat16 (default), float32, …")
    parser.add_argument("--backward", action="store_true", help="with gradients")
    parser.add_argument(
        "--text-tokens",
        type=int,
        default=64,
        metavar="N",
        help="positions of the prompt that are no media (default: 64)",
    )


def _add_measurement(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--only",
        action="append",
        default=[],
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
        default=1.0,
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
    parser.add_argument(
        "--budget", default="3%", help="of --ab: what it may be slower by (default: 3%%)"
    )


def run(args: argparse.Namespace) -> int:
    """Benches; 1 when a part gave a wrong answer, or was slower with ``--ab``."""
    if args.spec in ("report", "tune"):
        return _from_files(args)
    if args.time <= 0:
        raise UsageError(
            f"No part can be timed for {args.time:g} seconds.",
            where="plm bench --time",
            expected="more than 0",
            fix="--time 1",
        )
    return _compare(args) if args.ab else _bench(args)


def _from_files(args: argparse.Namespace) -> int:
    """A page, or a table, out of what was measured before."""
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

        mode = args.mode[0] if args.mode else None
        tune_files(out, files, mode=mode, zoo=offered_zoo(args.plugin))
    if args.json:
        print_json({"written": [str(out)]})
    else:
        print(f"written: {out}")
    return 0


def _bench(args: argparse.Namespace) -> int:
    from plm_components.bench.composition import bench
    from plm_components.cli.bench_tables import benched_to_dict, print_benched

    zoo = offered_zoo(args.plugin)
    _require_folders(args.out, args.tune)
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


def _require_folders(*names: str | None) -> None:
    """Before anything is measured: minutes of work have to be written somewhere."""
    for name in names:
        if name and not Path(name).resolve().parent.is_dir():
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

    _refuse_beside_ab(args)
    with _progress() as tell:
        found = compare_parts(
            args.spec,
            args.input,
            *args.ab,
            **_request(args),
            budget=read_budget(args.budget),
            mode=args.mode[0] if args.mode else None,
            zoo=offered_zoo(args.plugin),
            on_progress=tell,
        )
    if args.json:
        print_json({"baseline": args.ab[0], "candidate": args.ab[1], **compared_to_dict(found)})
    else:
        print_compared(args.ab, found)
    slower = [one for one in found if one.comparison and one.comparison.finding == "slower"]
    return 1 if slower or any(one.is_wrong for one in found) else 0


def _refuse_beside_ab(args: argparse.Namespace) -> None:
    """No option is ignored."""
    beside = {
        "--only": args.only,
        "--out": args.out,
        "--tune": args.tune,
        "--whole": args.whole,
        "a second --mode": (args.mode or [])[1:],
    }
    said = [name for name, value in beside.items() if value]
    if said:
        raise UsageError(
            f"{', '.join(said)} means nothing beside --ab.",
            where="plm bench --ab",
            expected="a comparison, or a bench of everything",
            fix=f"leave out --ab, or {said[0]}",
        )
