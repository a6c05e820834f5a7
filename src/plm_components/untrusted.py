"""Files that somebody else wrote: read within bounds, and quoted so that they cannot deceive.

Everything here raises ``OSError`` or ``ValueError`` with a plain reason; who knows what the file
is for makes the error of four fields.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NoReturn


def read_text(file: Path, max_bytes: int) -> str:
    """The text of a file.

    Args:
        file: A regular file; a pipe would be waited for without end.
        max_bytes: Refuse a file that is larger, before it is in memory.

    Raises:
        OSError: it cannot be opened.
        ValueError: no regular file, too large, or not UTF-8.
    """
    require_regular(file)
    with file.open("rb") as stream:
        data = stream.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise ValueError(f"it is larger than {max_bytes:,} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 text (byte {error.start})") from None


def require_regular(file: Path) -> None:
    """Refuses what can be opened and is no file: a directory, a pipe, a device.

    Raises:
        OSError: there is nothing, or it cannot be looked at.
        ValueError: there is something else.
    """
    file.stat()
    if not file.is_file():
        raise ValueError("it is a directory" if file.is_dir() else "it is no regular file")


def expanded(path: str | Path) -> Path:
    """A path with ``~`` as its user's home; as it stands where there is no such user."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def is_file(file: Path) -> bool:
    """Whether there is a regular file, of a name that the system may refuse to look up."""
    try:
        return file.is_file()
    except (OSError, ValueError):
        return False


def read_json(file: Path, max_bytes: int) -> Any:
    """The JSON in a file; see :func:`read_text` and :func:`parse_json`."""
    return parse_json(read_text(file, max_bytes))


def parse_json(text: str) -> Any:
    """JSON as its standard has it: every key once, every number finite.

    Raises:
        ValueError: anything else, or it nests deeper than Python can follow.
    """
    try:
        return json.loads(
            text,
            object_pairs_hook=_distinct,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except RecursionError:
        raise ValueError("it nests too deeply") from None


def shown(text: object, limit: int = 200) -> str:
    """What somebody else wrote, for a message: one line, printable, and not too long."""
    found = str(text)
    # a name may be as long as the file
    cut = found[:limit]
    line = "".join(letter if letter.isprintable() else _escaped(letter) for letter in cut)
    return line if len(found) <= limit else f"{line}… ({len(found):,} characters)"


def reason(error: BaseException) -> str:
    """Why something cannot be read, for a message; the system's words without its path."""
    system = error.strerror if isinstance(error, OSError) else None
    return shown(system or str(error) or type(error).__name__).rstrip(".")


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {shown(repr(key))} stands twice")
        found[key] = value
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{shown(digits)} is not a finite number")
    return number
