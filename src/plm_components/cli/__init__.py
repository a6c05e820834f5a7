"""The ``plm`` command: thin, every command has a Python function beneath it.

Exit codes: 0 the answer is yes, 1 the answer is no (or bad input), 2 wrong usage; 130 and 141
after Ctrl-C and a closed pipe, as a shell reports them. Nothing heavy is imported before a
command needs it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext

from plm_components.cli.output import print_json, stdout_kept
from plm_components.cli.parser import parse
from plm_components.errors import PlmError, UsageError

INTERRUPTED = 130
PIPE_CLOSED = 141

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command line.

    Args:
        argv: Arguments after the program's name; those of the process by default.

    Returns:
        The exit code.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _run(words)
        sys.stdout.flush()
    except BrokenPipeError:
        _silence_stdout()
        return PIPE_CLOSED
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return INTERRUPTED
    return code


def _run(words: list[str]) -> int:
    try:
        args = parse(words)
        with stdout_kept() if getattr(args, "json", False) else nullcontext():
            code: int = args.run(args)
    except PlmError as error:
        if "--traceback" in words:
            raise
        _tell(error, words)
        return 2 if isinstance(error, UsageError) else 1
    except SystemExit as stop:  # argparse after --help and --version
        return stop.code if isinstance(stop.code, int) else 0
    except BrokenPipeError:
        raise
    except OSError as error:
        if "--traceback" in words:
            raise
        _tell(_from_os(error), words)
        return 1
    return code


def _tell(error: PlmError, words: list[str]) -> None:
    print(error, file=sys.stderr)
    if "--json" in words:
        print_json({"error": error.to_dict()})


def _from_os(error: OSError) -> PlmError:
    return PlmError(
        f"{error.strerror or error}.",
        where=str(error.filename or "the operating system"),
        expected="a file or folder that can be read or written",
        fix="check the path, its permissions and the space left on the disk",
    )


def _silence_stdout() -> None:
    # the interpreter flushes stdout once more at exit; without this it reports the pipe again
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):  # stdout has no file behind it, as under a test
        return
