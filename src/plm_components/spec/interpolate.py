"""``${decoder.dim}``: one value of a spec, taken from another place of it.

OmegaConf's notation for references, absolute (``${a.b}``) and relative (``${.b}`` beside it,
``${..b}`` one level up). Its resolvers (``${oc.env:HOME}``) run code and are refused.
"""

from __future__ import annotations

import re
from typing import Any, NoReturn

from plm_components.errors import Fault, SpecError
from plm_components.spec.plain import plain
from plm_components.zoo.suggest import did_you_mean

Path = tuple[str, ...]

# OmegaConf's mark for a value that someone else must set
UNSET = "???"
MAX_CHAIN = 32
MAX_STEPS = 200_000
MAX_TEXT = 1 << 20
_REFERENCE = re.compile(r"(?<!\\)\$\{(\.*)([\w-]+(?:\.[\w-]+)*)\}")


def interpolate(tree: dict[str, Any]) -> dict[str, Any]:
    """The tree with every reference replaced.

    Raises:
        SpecError: a reference leads nowhere or in a circle, or is no plain reference; a value is
            still ``???``.
    """
    resolver = _Resolver(tree)
    found = resolver.walk(tree, ())
    if resolver.faults:
        raise SpecError.of(resolver.faults)
    # references can repeat whole parts: the bound on size holds for the result too
    resolved: dict[str, Any] = plain(found, "the spec after interpolation")
    return resolved


class _Broken(Exception):
    """A reference whose fault is already noted."""


class _Resolver:
    """Resolves every text once; what many references share is not walked again."""

    def __init__(self, tree: dict[str, Any]) -> None:
        self._tree = tree
        self._done: dict[Path, Any] = {}
        self._open: list[Path] = []
        self._steps = 0
        self._num_characters = 0
        self.faults: list[Fault] = []

    def walk(self, value: Any, path: Path) -> Any:
        """The value at ``path`` without references; a broken one is noted and leaves None."""
        try:
            return self._value(value, path)
        except _Broken:
            return None

    def _value(self, value: Any, path: Path) -> Any:
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise SpecError.of([_too_large(path)])
        if isinstance(value, dict):
            return {key: self.walk(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.walk(item, (*path, str(i))) for i, item in enumerate(value)]
        if value == UNSET:
            self._note_unset(path)
        if not isinstance(value, str) or "${" not in value:
            return value
        return self._once(value, path)

    def _once(self, text: str, path: Path) -> Any:
        if path not in self._done:
            self._enter(text, path)
            try:
                self._done[path] = self._resolved(text, path)
            except _Broken:
                self._done[path] = None
                raise
            finally:
                self._open.pop()
        return self._done[path]

    def _enter(self, text: str, path: Path) -> None:
        if "${" in _REFERENCE.sub("", text):
            self._refuse(
                f"{text!r} is no reference.",
                path,
                "${path.to.option}: resolvers and escapes are not part of a spec",
                "write the value itself",
            )
        if path in self._open:
            circle = " -> ".join(".".join(one) for one in [*self._open, path])
            self._refuse(
                f"References run in a circle: {circle}.",
                path,
                "references that end at a value",
                f"write the value of {'.'.join(path)} itself",
            )
        if len(self._open) >= MAX_CHAIN:
            raise SpecError.of([_too_large(path)])
        self._open.append(path)

    def _resolved(self, text: str, path: Path) -> Any:
        whole = _REFERENCE.fullmatch(text)
        if whole is not None:
            return self._target(whole, path)
        filled = _REFERENCE.sub(lambda match: self._as_text(match, path), text)
        self._num_characters += len(filled)
        if self._num_characters > MAX_TEXT:
            raise SpecError.of([_too_large(path)])
        if "${" in filled:
            self._refuse(f"{filled!r} became a reference.", path, "text", "write the value itself")
        return filled

    def _as_text(self, match: re.Match[str], path: Path) -> str:
        value = self._target(match, path)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            self._refuse(
                f"{match[0]} within text is neither text nor a number.",
                path,
                "a reference to text or a number",
                "let the reference stand alone, or write the value itself",
            )
        return str(value)

    def _target(self, match: re.Match[str], path: Path) -> Any:
        dots, keys = len(match[1]), tuple(match[2].split("."))
        above = path[: len(path) - dots] if 0 < dots <= len(path) else ()
        if dots > len(path):
            self._nowhere(match, path, "nothing above the spec", [], "")
        value: Any = self._tree
        for place, key in enumerate((*above, *keys)):
            here = (*above, *keys)[:place]
            value = self._once(value, here) if isinstance(value, str) and "${" in value else value
            known = _keys(value)
            if key not in known:
                self._nowhere(
                    match, path, f"{'.'.join(here) or 'the spec'} has no {key!r}", known, key
                )
            value = value[int(key)] if isinstance(value, list) else value[key]
        return self._value(value, (*above, *keys))

    def _nowhere(
        self, match: re.Match[str], path: Path, why: str, known: list[str], key: str
    ) -> NoReturn:
        self._refuse(
            f"{match[0]} leads nowhere: {why}.",
            path,
            "the path of a value in this spec",
            did_you_mean(key, known) or "mend the path, or write the value itself",
        )

    def _note_unset(self, path: Path) -> None:
        where = ".".join(path)
        fault = Fault(f"{where} is still {UNSET}.", where, "a value", f"set {where}")
        if fault not in self.faults:
            self.faults.append(fault)

    def _refuse(self, what: str, path: Path, expected: str, fix: str) -> NoReturn:
        self.faults.append(Fault(what, ".".join(path), expected, fix))
        raise _Broken


def _keys(value: Any) -> list[str]:
    if isinstance(value, dict):
        return list(value)
    return [str(i) for i in range(len(value))] if isinstance(value, list) else []


def _too_large(path: Path) -> Fault:
    return Fault(
        "The references of this spec grow without bound.",
        ".".join(path),
        f"chains of at most {MAX_CHAIN} references",
        "write the value itself",
    )
