"""``plm graft``: trained weights into single parts, saved with a receipt."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plm_components.cli.offered import offered_zoo
from plm_components.cli.output import print_json

if TYPE_CHECKING:
    from plm_components.variant import Variant


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("spec", help="name of a shipped spec, or path of a YAML file")
    parser.add_argument("directory", help="where the variant goes: a new or an empty directory")
    parser.add_argument(
        "overrides",
        nargs="*",
        default=[],
        metavar="KEY=VALUE",
        help="changes, e.g. vision_encoder.weights=hf:./siglip decoder.weights=hf:./llama",
    )
    parser.add_argument(
        "--init", choices=("random",), help="say aloud that parts without weights start fresh"
    )
    parser.add_argument("--seed", type=int, default=0, help="of --init (default: 0)")
    parser.add_argument("--dtype", default="float32", help="float32 (default) or bfloat16")
    parser.add_argument("--overwrite", action="store_true", help="replace the variant there")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args: argparse.Namespace) -> int:
    """Prints the receipt; 0 though a part is fresh, since it was said aloud."""
    from plm_components.opening import graft

    variant = graft(
        args.spec,
        args.directory,
        overrides=args.overrides,
        dtype=args.dtype,
        init=args.init,
        seed=args.seed,
        zoo=offered_zoo(args.plugin),
        overwrite=args.overwrite,
    )
    if args.json:
        print_json(_to_dict(variant, args.directory))
        return 0
    for line in str(variant.receipt).splitlines():
        print(line)
    for words in (*variant.differences, *variant.notes):
        print(f"note: {words}")
    print(f"saved: {Path(args.directory)}")
    fresh = variant.receipt.fresh_parts
    if fresh:
        print(f"never trained: {', '.join(fresh)}")
    return 0


def _to_dict(variant: Variant, directory: str) -> dict[str, Any]:
    return {
        "directory": str(Path(directory)),
        "receipt": variant.receipt.to_list(),
        "fresh": list(variant.receipt.fresh_parts),
        "notes": [*variant.differences, *variant.notes],
    }
