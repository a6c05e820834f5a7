"""``plm licenses``: under which licences a spec's parts and weights come."""

from __future__ import annotations

import argparse

from plm_components.cli.offered import offered_zoo
from plm_components.cli.output import print_json, print_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument(
        "spec", help="a shipped spec, a YAML file, or the path of a saved variant, ./mine"
    )
    parser.add_argument(
        "overrides",
        nargs="*",
        default=[],
        metavar="KEY=VALUE",
        help="changes to a spec, e.g. decoder.weights=hf:./llama",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args: argparse.Namespace) -> int:
    """Prints a line a part, and what is not stated; 0 whatever the licences are."""
    from plm_components.assembly import licenses

    found = licenses(args.spec, args.overrides, zoo=offered_zoo(args.plugin))
    if args.json:
        print_json(found.to_dict())
        return 0
    rows = [
        (part.path, f"{part.address}, {part.provider}", part.code, part.weights or "-")
        for part in found.parts
    ]
    print_table(("slot", "part", "code", "weights"), rows)
    print(f"\n{found.summary}")
    return 0
