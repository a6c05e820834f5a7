"""A published configuration, read as data: every key is taken, demanded, set aside, or told.

Nothing in such a file is trusted: a value of another type, one that nothing of ours can express,
and one that would change the numbers unnoticed are errors that name the file and the key.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from plm_components.errors import CheckpointError, UnsupportedError

# configurations are a few kilobytes; a larger file is something else
MAX_BYTES = 1 << 24
MAX_COUNT = 1 << 31


class Settings:
    """A mapping of a configuration file, and which of its keys were looked at.

    Args:
        values: The mapping.
        where: The file, and the path of the mapping in it, for messages.
    """

    def __init__(self, values: Mapping[str, Any], where: str) -> None:
        self.values = values
        self.where = where
        self._seen: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return self.values.get(key) is not None

    def raw(self, key: str) -> Any:
        """A value as it is; null and absent are None."""
        self._seen.add(key)
        return self.values.get(key)

    def section(self, key: str) -> Settings:
        """A nested mapping; an empty one where there is none."""
        value = self.raw(key)
        if value is None:
            value = {}
        if not isinstance(value, Mapping):
            raise self.wrong(key, "a mapping")
        return Settings(value, f"{self.where}: {key}")

    def count(self, key: str, default: int | None = None, *, most: int = MAX_COUNT) -> int:
        """A whole number of at least 1; ``default`` None means it must be there."""
        value = self._given(key, default, "a whole number")
        if type(value) is not int or not 1 <= value <= most:
            raise self.wrong(key, f"a whole number from 1 to {most}")
        return value

    def token_id(self, key: str, default: int) -> int:
        """A whole number of at least 0."""
        value = self._given(key, default, "a token id")
        if type(value) is not int or not 0 <= value < MAX_COUNT:
            raise self.wrong(key, "a token id")
        return value

    def number(self, key: str, default: float | None = None, *, least: float = 0.0) -> float:
        """A finite number above ``least``; ``default`` None means it must be there."""
        value = self._given(key, default, "a number")
        # a whole number is a number, True is not
        if type(value) not in (int, float) or not least < value < math.inf:
            raise self.wrong(key, f"a finite number above {least:g}")
        return float(value)

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self._given(key, default, "true or false")
        if not isinstance(value, bool):
            raise self.wrong(key, "true or false")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        """Text; ``default`` None means it must be there."""
        value = self._given(key, default, "text")
        if not isinstance(value, str):
            raise self.wrong(key, "text")
        return value

    def demand(self, key: str, allowed: Collection[Any], *, why: str) -> None:
        """Refuses a value that our parts cannot express.

        Args:
            key: What to look at; absent and null are what the publisher's default says, so
                ``allowed`` holds None where that default is fine.
            allowed: What our parts do.
            why: What they cannot, for the message: ``its MLP is gated by SiLU``.
        """
        value = self.raw(key)
        # True == 1 in Python, and neither says the other here
        if any(value == one and type(value) is type(one) for one in allowed):
            return
        raise UnsupportedError(
            f"{key} is {_shown(value)}, and {why}.",
            where=self.where,
            expected=f"{key}: {' or '.join(_shown(one) for one in allowed)}",
            fix="compose a spec with parts that do this; transformers runs the checkpoint as it is",
        )

    def set_aside(self, *keys: str) -> None:
        """Marks keys that change no number of inference."""
        self._seen.update(keys)

    def unknown(self) -> list[str]:
        """Keys that nobody looked at and that say something."""
        empty = (None, False, [], {}, "")
        return [
            key
            for key, value in self.values.items()
            if key not in self._seen and not any(value is one or value == one for one in empty)
        ]

    def wrong(self, key: str, expected: str) -> CheckpointError:
        """The error of a value that cannot be right."""
        return CheckpointError(
            f"{key} is {_shown(self.values.get(key))}.",
            where=self.where,
            expected=f"{key}: {expected}",
            fix="fetch the file again from where the checkpoint came",
        )

    def _given(self, key: str, default: Any, kind: str) -> Any:
        value = self.raw(key)
        if value is not None:
            return value
        if default is None:
            raise CheckpointError(
                f"There is no {key}.",
                where=self.where,
                expected=f"{key}: {kind}",
                fix="fetch the file again from where the checkpoint came",
            )
        return default


def read_settings(path: Path) -> Settings:
    """The mapping of a JSON file.

    Raises:
        CheckpointError: missing, too large, no JSON, or no mapping.
    """
    return Settings(read_json(path), str(path))


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file of bounded size.

    Raises:
        CheckpointError: missing, too large, no JSON, or no object.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ValueError(f"it is over {MAX_BYTES} bytes")
        value = json.loads(data.decode("utf-8-sig"))
        if not isinstance(value, dict):
            raise ValueError(f"it holds a {type(value).__name__}")
    except (OSError, ValueError, RecursionError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise CheckpointError(
            f"The configuration cannot be read: {why}.",
            where=str(path),
            expected="a JSON object in UTF-8",
            fix="fetch the file again from where the checkpoint came",
        ) from error
    return value


def _shown(value: Any) -> str:
    text = json.dumps(value) if isinstance(value, str | bool | None) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
