"""``plm export``: a variant in a format that others read."""

from __future__ import annotations

import argparse

from plm_components.cli.commands.ask import opened_variant, tell
from plm_components.cli.output import print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument(
        "spec", help="a shipped spec, a YAML file, or the path of a saved variant, ./mine"
    )
    parser.add_argument("directory", help="where to write; new or empty")
    parser.add_argument(
        "overrides",
        nargs="*",
        default=[],
        metavar="KEY=VALUE",
        help="changes to a spec, e.g. image_tiler.max_tiles=16",
    )
    parser.add_argument(
        "--format",
        choices=("hf", "original"),
        default="hf",
        help="hf (default): what transformers loads; original: what PerceptionLM's own code loads",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace an earlier export in that place"
    )
    parser.add_argument("--dtype", help="float32 or bfloat16 (default: float32, or as saved)")
    parser.add_argument(
        "--init", choices=("random",), help="export a spec without weights: filled from --seed"
    )
    parser.add_argument("--seed", type=int, default=0, help="of --init (default: 0)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.set_defaults(device="cpu")


def run(args: argparse.Namespace) -> int:
    """Writes the directory, and says what its format has no place for."""
    variant = opened_variant(args)
    notes = tell([*variant.differences, *variant.notes])
    exported = variant.export(args.directory, format=args.format, overwrite=args.overwrite)
    if args.json:
        print_json({**exported.to_dict(), "notes": notes})
    else:
        print(exported)
    return 0
