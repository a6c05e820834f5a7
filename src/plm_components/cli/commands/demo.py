"""``plm demo``: a new image and a new video, asked about and drawn on one page."""

from __future__ import annotations

import argparse
import io
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plm_components.cli.output import print_json

if TYPE_CHECKING:
    from plm_components.demo import Demo


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("--seed", type=int, help="of the scenes (default: a fresh one)")
    parser.add_argument(
        "--out", type=Path, default=Path("demo"), metavar="FOLDER", help="default: ./demo"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document at the end")


def run(args: argparse.Namespace) -> int:
    """Draws, asks and tells; a wrong answer is shown as such and is no failure of the command."""
    from plm_components.demo import run_demo

    seed = random.SystemRandom().randrange(10**7) if args.seed is None else args.seed
    if args.json:
        print_json(_to_dict(run_demo(seed, args.out, to=io.StringIO())))
        return 0
    print(f"seed {seed}: plm-tiny has never seen what is drawn from it")
    demo = run_demo(seed, args.out)
    print(f"\n{demo.num_right} of {len(demo.exchanges)} right; all of it on one page: {demo.sheet}")
    return 0


def _to_dict(demo: Demo) -> dict[str, Any]:
    return {
        "seed": demo.seed,
        "image": str(demo.image),
        "video": str(demo.video),
        "sheet": str(demo.sheet),
        "exchanges": [
            {"question": one.question, "truth": one.truth, "answer": one.answer, "right": one.right}
            for one in demo.exchanges
        ],
    }
