"""YAML text to plain data: strict, bounded, and nothing in it can run.

The scalars are those of YAML 1.2's core: ``true`` and ``false`` are the only booleans, ``12:30`` is
text, ``1e-5`` is a number. Keys are text and stand once. Other tags and merge keys do not exist.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NoReturn

import yaml

from plm_components.errors import SpecError
from plm_components.spec.plain import plain

MAX_BYTES = 1 << 20

_TAG = "tag:yaml.org,2002:"
FLOAT = re.compile(r"[-+]?(\d+\.\d*|\.\d+|\d+(?=[eE]))([eE][-+]?\d+)?")
_INT = re.compile(r"[-+]?(0|[1-9]\d*)")
_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML ships no types
    yaml_constructors: dict[str | None, Any] = {}  # noqa: RUF012 (PyYAML's own registry)
    yaml_implicit_resolvers: dict[str | None, Any] = {}  # noqa: RUF012


def _mapping(loader: _Loader, node: yaml.Node) -> dict[str, Any]:
    if not isinstance(node, yaml.MappingNode):
        raise _complaint("this is no mapping", node)
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            raise _complaint(f"the key {key_node.value!r} is not text: quote it", key_node)
        if key in found:
            raise _complaint(f"the key {key!r} stands twice", key_node)
        found[key] = loader.construct_object(value_node, deep=True)
    return found


def _sequence(loader: _Loader, node: yaml.Node) -> list[Any]:
    if not isinstance(node, yaml.SequenceNode):
        raise _complaint("this is no list", node)
    return [loader.construct_object(item, deep=True) for item in node.value]


def _complaint(problem: str, node: yaml.Node) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def _refuse_tag(loader: _Loader, node: yaml.Node) -> NoReturn:
    raise _complaint(f"the tag {node.tag!r} is not allowed: a spec is data", node)


def _teach_scalar(tag: str, pattern: re.Pattern[str], make: Callable[[str], Any]) -> None:
    def construct(loader: _Loader, node: yaml.Node) -> Any:
        text = loader.construct_scalar(node)
        if not pattern.fullmatch(text):  # the tag was written out
            raise _complaint(f"{text!r} is no {tag}", node)
        return make(text)

    _Loader.add_constructor(_TAG + tag, construct)
    _Loader.add_implicit_resolver(_TAG + tag, re.compile(rf"(?:{pattern.pattern})\Z"), None)


def _teach_loader() -> None:
    _teach_scalar("null", _NULL, lambda text: None)
    _teach_scalar("bool", _BOOL, lambda text: text.lower() == "true")
    _teach_scalar("int", _INT, int)
    _teach_scalar("float", FLOAT, float)
    _Loader.add_constructor(_TAG + "str", lambda loader, node: loader.construct_scalar(node))
    _Loader.add_constructor(_TAG + "seq", _sequence)
    _Loader.add_constructor(_TAG + "map", _mapping)
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
