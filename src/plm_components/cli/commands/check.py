"""``plm check``: whether a spec's parts fit, before any weight is read."""

from __future__ import annotations

import argparse

from plm_components.cli.offered import offered_zoo
from plm_components.cli.output import print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("spec", help="name of a shipped spec, or path of a YAML file")
    parser.add_argument(
        "overrides",
        nargs="*",
        default=[],
        metavar="KEY=VALUE",
        help="changes, e.g. projector.pool=4",
    )
    parser.add_argument(
        "--device", default="cpu", help="where it shall run: cpu (default), cuda, mps"
    )
    parser.add_argument(
        "--dtype", default="float32", help="of its parameters: float32 (default) or bfloat16"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args: argparse.Namespace) -> int:
    """Prints the report; 1 when the parts do not fit."""
    from plm_components.assembly import check

    report = check(
        args.spec,
        overrides=args.overrides,
        zoo=offered_zoo(args.plugin),
        device=args.device,
        dtype=args.dtype,
    )
    if args.json:
        print_json(report.to_dict())
    else:
        print(report)
    return 0 if report.ok else 1
