"""YAML text to plain data: strict, bounded, and nothing in it can run.

The scalars are those of YAML 1.2's core: ``true`` and ``false`` are the only booleans, ``12:30`` is
text, ``1e-5`` is a number. Keys are text and stand once. Explicit tags and merge keys do not exist.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, NoReturn

import yaml

from plm_components.errors import SpecError

MAX_BYTES = 1 << 20
MAX_NODES = 20_000
MAX_DEPTH = 32

_FLOAT = re.compile(r"[-+]?(\d+\.\d*|\.\d+|\d+(?=[eE]))([eE][-+]?\d+)?")
_INT = re.compile(r"[-+]?(0|[1-9]\d*)")
_BREAKS = frozenset("\r\n\x85\u2028\u2029\ufeff")
_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML ships no types
    yaml_constructors: dict[str | None, Any] = {}  # noqa: RUF012 (PyYAML's own registry)
    yaml_implicit_resolvers: dict[str | None, Any] = {}  # noqa: RUF012


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            raise _complaint(f"the key {key_node.value!r} is not text: quote it", key_node)
        if key in found:
            raise _complaint(f"the key {key!r} stands twice", key_node)
        found[key] = loader.construct_object(value_node, deep=True)
    return found


def _complaint(problem: str, node: yaml.Node) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def _refuse_tag(loader: _Loader, node: yaml.Node) -> NoReturn:
    raise _complaint(f"the tag {node.tag!r} is not allowed: a spec is data", node)


def _teach_loader() -> None:
    tag = "tag:yaml.org,2002:"
    for name, pattern, make in (
        ("null", _NULL, lambda text: None),
        ("bool", _BOOL, lambda text: text.lower() == "true"),
        ("int", _INT, int),
        ("float", _FLOAT, float),
    ):
        full = re.compile(f"(?:{pattern.pattern})$")
        _Loader.add_implicit_resolver(tag + name, full, None)
        _Loader.add_constructor(
            tag + name, lambda loader, node, make=make: make(loader.construct_scalar(node))
        )
    _Loader.add_constructor(tag + "str", lambda loader, node: loader.construct_scalar(node))
    _Loader.add_constructor(
        tag + "seq",
        lambda loader, node: [loader.construct_object(n, deep=True) for n in node.value],
    )
    _Loader.add_constructor(tag + "map", _mapping)
    _Loader.add_constructor(None, _refuse_tag)


_teach_loader()


def parse_yaml(text: str, where: str) -> Any:
    """Plain data of one YAML document.

    Args:
        text: The document.
        where: File, or whatever names the text in an error.

    Raises:
        SpecError: not YAML, duplicate or non-text keys, tags, or out of bounds.
    """
    try:
        found = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise _not_yaml(_problem(error), where) from None
    except (ValueError, RecursionError) as error:
        why = "it nests too deeply" if isinstance(error, RecursionError) else str(error)
        raise _not_yaml(why, where) from None
    return plain(found, where)


def _problem(error: yaml.YAMLError) -> str:
    if not isinstance(error, yaml.MarkedYAMLError):
        return " ".join(str(error).split())
    mark = error.problem_mark or error.context_mark
    place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
    return f"{error.problem or error.context}{place}"


def _not_yaml(why: str, where: str) -> SpecError:
    return SpecError(
        f"The spec cannot be read: {why}.",
        where=where,
        expected="YAML: mappings with text keys, lists, text, numbers, true, false, null",
        fix="mend the YAML at this place",
    )


def plain(value: Any, where: str) -> Any:
    """A copy made of dict, list, str, int, float, bool and None only, within bounds.

    Paths become text, enum members their names, tuples lists.

    Raises:
        SpecError: anything else is in it, a number is not finite, or it is too large.
    """
    return _Copier(where).copy(value, "", 0)


class _Copier:
    """Counts while it copies: aliases in YAML can make a small file a huge tree."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._num_nodes = 0

    def copy(self, value: Any, path: str, depth: int) -> Any:
        self._num_nodes += 1
        if depth > MAX_DEPTH or self._num_nodes > MAX_NODES:
            self._refuse(
                "The spec is too large.",
                f"at most {MAX_NODES} values, nested {MAX_DEPTH} deep",
                "write less: a spec has tens of lines",
            )
        if isinstance(value, Mapping):
            return {
                self._key(k, path): self.copy(v, join(path, k), depth + 1) for k, v in value.items()
            }
        if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
            return [self.copy(v, f"{path}[{i}]", depth + 1) for i, v in enumerate(value)]
        return self._scalar(value, path)

    def _key(self, key: Any, path: str) -> str:
        if type(key) is not str:
            self._refuse(f"The key {key!r} is not text.", "text keys", "quote the key", path)
        return str(key)

    def _scalar(self, value: Any, path: str) -> Any:
        if isinstance(value, Enum):
            return value.name
        if isinstance(value, Path):
            return str(value)
        if value is None or type(value) in (bool, int, str):
            return value
        if type(value) is float:
            if not math.isfinite(value):
                self._refuse(
                    f"{value} is not a finite number.", "a finite number", "change it", path
                )
            return value
        return self._refuse(
            f"A spec cannot hold a {type(value).__name__}.",
            "text, numbers, true, false, null, lists and mappings",
            "write it as one of these",
            path,
        )

    def _refuse(self, what: str, expected: str, fix: str, path: str = "") -> NoReturn:
        where = f"{self._where}: {path}" if path else self._where
        raise SpecError(what, where=where, expected=expected, fix=fix)


def join(path: str, key: object) -> str:
    """``decoder`` and ``dim`` -> ``decoder.dim``."""
    return f"{path}.{key}" if path else str(key)


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]  # PyYAML ships no types
    """Quotes what either YAML 1.1 or this reader would take for something else than text."""

    yaml_implicit_resolvers = {  # noqa: RUF012 (PyYAML's own registry)
        first: list(rules) for first, rules in yaml.SafeDumper.yaml_implicit_resolvers.items()
    }

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: _Dumper, data: str) -> yaml.Node:
    # PyYAML writes some line breaks as they are, and reads them back as spaces
    breaks = not _BREAKS.isdisjoint(data)
    return dumper.represent_scalar("tag:yaml.org,2002:str", data, style='"' if breaks else None)


_Dumper.add_representer(str, _text)
_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(f"(?:{_FLOAT.pattern})$"), list("-+.0123456789")
)


def dump_yaml(data: Mapping[str, Any]) -> str:
    """YAML text that ``parse_yaml`` reads back equal."""
    return str(yaml.dump(dict(data), Dumper=_Dumper, sort_keys=False, allow_unicode=True))
