"""``plm doctor``: what works on this machine, and how to mend the rest."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from plm_components.cli.output import print_json, print_table
from plm_components.doctor import Diagnosis, Finding, diagnose

# healthy small packages share a line, so that all of it fits a screen
_GROUPED = frozenset(
    (
        "tokenizers",
        "huggingface-hub",
        "safetensors",
        "omegaconf",
        "pluggy",
        "packaging",
        "pillow",
        "numpy",
        "rich",
    )
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument(
        "--timeout",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="how long one package may take to import (default: 60)",
    )


def run(args: argparse.Namespace) -> int:
    """Prints the diagnosis; 1 when something the main job needs does not work."""
    if sys.stderr.isatty():
        print("importing every package in another process …", file=sys.stderr)
    diagnosis = diagnose(timeout_s=args.timeout)
    if args.json:
        print_json(diagnosis.to_dict())
    else:
        _print(diagnosis)
    return 0 if diagnosis.ok else 1


def _print(diagnosis: Diagnosis) -> None:
    rows = [(found.topic, found.state, found.detail) for found in _folded(diagnosis.findings)]
    print_table(("", "state", "detail"), rows)
    fixes = [found for found in diagnosis.findings if found.fix]
    for title, needed in (("To mend:", True), ("If you want it:", False)):
        lines = [found for found in fixes if found.needed is needed]
        if lines:
            print(f"\n{title}")
        for found in lines:
            print(f"  {found.topic}: {found.fix}")
    verdict = "works" if diagnosis.ok else "does not work: see 'To mend'"
    print(f"\nThe main job, from a spec to an answer, {verdict}.")


def _folded(findings: Sequence[Finding]) -> list[Finding]:
    small = [found for found in findings if found.topic in _GROUPED and found.state == "ok"]
    shown = [found for found in findings if found not in small]
    if small:
        detail = ", ".join(f"{found.topic} {found.detail}" for found in small)
        shown.insert(_after_av(shown), Finding("and", "ok", detail, needed=True))
    return shown


def _after_av(findings: Sequence[Finding]) -> int:
    topics = [found.topic for found in findings]
    return topics.index("av") + 1 if "av" in topics else len(topics)
