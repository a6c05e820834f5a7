"""The command line's grammar: one sub-parser a command, near misses suggested, nothing guessed."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any, NoReturn

import plm_components
from plm_components.errors import UsageError

# name of a command = name of its module; the order is the order of ``plm --help``
COMMANDS = {
    "list": "every registered part, its provider and whether it can be used",
    "show": "one part's options, or a spec with every default filled in",
    "check": "whether a spec's parts fit, before any weight is read",
    "licenses": "under which licences a spec's parts and weights come",
    "graft": "put trained weights into single parts, and save the variant with its receipt",
    "ask": "ask a variant about images and a video",
    "demo": "draw a new image and a new video, and ask plm-tiny about them",
    "export": "write a variant as transformers or PerceptionLM's own code reads it",
    "bench": "every registered kernel on the exact shapes of a spec: checked, timed, priced",
    "plugins": "every installed plugin, and what became of it",
    "doctor": "what works on this machine, and how to mend the rest",
}


class Parser(argparse.ArgumentParser):
    """Argparse with our errors: four fields, exit code 2, no abbreviations."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_abbrev=False, **kwargs)

    def option_names(self) -> list[str]:
        """Every long option, those of groups included."""
        return sorted(set(re.findall(r"--[a-z][a-z-]*", self.format_help())))

    def error(self, message: str) -> NoReturn:
        """Raises UsageError instead of printing and leaving; the nearest choice is suggested."""
        wrong = re.search(r"invalid choice: '(.*)' \(choose from (.*)\)", message)
        near = _nearest(wrong[1], re.findall(r"[\w-]+", wrong[2])) if wrong else None
        raise UsageError(
            f"{message[:1].upper()}{message[1:]}.",
            where=self.prog,
            expected=" ".join(self.format_usage().removeprefix("usage: ").split()),
            fix=near or f"{self.prog} --help",
        )


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Reads a command line.

    Args:
        words: Arguments after the program's name.

    Returns:
        The arguments; ``run`` is the command's function, ``plugin`` the part files offered.

    Raises:
        UsageError: the line makes no sense; the nearest that would is suggested.
    """
    shared, rest = _global_parser().parse_known_args(list(words))
    if not rest:
        rest = ["--help"]
    command = next((word for word in rest if not word.startswith("-")), None)
    if command is not None and command not in COMMANDS:
        raise _unknown("command", command, COMMANDS, "plm")
    parser, commands = _parser(command)
    args, extra = parser.parse_known_args(rest, namespace=shared)
    if command is None:
        parser.error("a command is missing")
    _take_late_overrides(args, extra, commands[command])
    return args


def _global_parser() -> Parser:
    # options that may stand before or after the command
    parser = Parser(prog="plm", add_help=False)
    parser.add_argument(
        "--plugin",
        action="append",
        default=[],
        metavar="FILE",
        help="offer an unpublished part file, e.g. ./my_part.py (may be repeated)",
    )
    parser.add_argument(
        "--traceback", action="store_true", help="show where in the code an error was raised"
    )
    return parser


def _parser(command: str | None) -> tuple[Parser, dict[str, Parser]]:
    parser = Parser(
        prog="plm",
        parents=[_global_parser()],
        description="Vision-language models out of interchangeable parts.",
    )
    version = f"plm_components {plm_components.__version__}"
    parser.add_argument("--version", action="version", version=version)
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands = {name: subparsers.add_parser(name, help=text) for name, text in COMMANDS.items()}
    if command is not None:
        # only the command that runs is imported
        module = import_module(f"plm_components.cli.commands.{command}")
        commands[command].description = f"{COMMANDS[command]}."
        module.add_arguments(commands[command])
        commands[command].set_defaults(run=module.run)
    return parser, commands


def _take_late_overrides(args: argparse.Namespace, extra: list[str], parser: Parser) -> None:
    # argparse closes a list of positionals at the first option that follows it
    for word in extra:
        if not word.startswith("-") and "=" in word and hasattr(args, "overrides"):
            args.overrides = [*args.overrides, word]
        elif word.startswith("--"):
            raise _strange_option(word, parser)
        else:
            parser.error(f"unexpected argument '{word}'")


def _strange_option(word: str, parser: Parser) -> UsageError:
    if word in parser.option_names():
        return UsageError(
            f"The option '{word}' stands before its command.",
            where="plm",
            expected="options behind the command they belong to",
            fix=f"{parser.prog} {word}",
        )
    return _unknown(
        "option", word, [*parser.option_names(), "--plugin", "--traceback"], parser.prog
    )


def _unknown(noun: str, word: str, known: Iterable[str], where: str) -> UsageError:
    names = list(known)
    return UsageError(
        f"Unknown {noun} '{word}'.",
        where=where,
        expected=f"one of: {', '.join(names)}",
        fix=_nearest(word.partition("=")[0], names) or f"{where} --help",
    )


def _nearest(word: str, known: Iterable[str]) -> str | None:
    # here, not above: the doctor must run where the zoo cannot be imported
    from plm_components.zoo.suggest import did_you_mean

    return did_you_mean(word, known)
