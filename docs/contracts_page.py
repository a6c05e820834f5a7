"""The page of contracts, out of the code: Protocols, what the kit asks, and what is around them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any, get_args

from plm_components import contracts, errors
from plm_components.contracts import masks, shapes
from plm_components.testing import checks_for
from plm_components.zoo import KINDS, Component, Kind
from plm_components.zoo.distributions import GROUP
from plm_components.zoo.hooks import hooks

HEAD = """\
# Contracts

What a part of each kind promises, what it is given, and every check that the conformance kit makes
of it. Written by `make docs` from the code: do not edit. How to write a part:
[publish a part](publish-a-part.md); when a number changes: [compatibility](compatibility.md).

- A constructor's arguments before the `*` are **wired**: the assembler passes them, by position.
  What stands after it are **options**, which a spec may set. An option annotated with one of the
  Protocols below is a slot for a part of that kind.
- A part that has parameters is a `torch.nn.Module`; `forward` stands for calling it.
- `pytest --plm-conformance NAME` and `plm plugins validate NAME` run the checks; NAME is a part
  (`projector/linear`), a kind, a distribution or a file. With `--plm-device cuda`, or
  `--device cuda`, those of {on_device} run there.
- A check fails, passes, or is not asked: of a part that declares no backward no gradient is.
"""


def contracts_page() -> str:
    """The whole page."""
    from plm_components.testing.devices import ON_DEVICE

    kinds = list(KINDS.values())
    listed = ", ".join(f"[{kind.name}](#{kind.name})" for kind in kinds)
    sections = [
        HEAD.format(on_device=", ".join(f"`{kind}`" for kind in ON_DEVICE)),
        f"Kinds: {listed}. Besides: [declaring a part](#declaring-a-part), "
        "[shape letters](#shape-letters), [masks](#masks), [types](#types), "
        "[optional promises](#optional-promises), [errors](#errors).\n",
        *map(_kind, kinds),
        _declaring(),
        _legend(),
        _masks(),
        _types(),
        _optional(),
        _errors(),
    ]
    return "\n".join(sections)


def _kind(kind: Kind) -> str:
    protocol = _protocols()[kind.name]
    lines = [
        f"## {kind.name}\n",
        f"Contract {kind.contract}: {kind.summary}. {_wired(kind)}\n",
        f"Must have: {', '.join(f'`{name}`' for name in _members(protocol))}.\n",
        _code(protocol),
    ]
    source = inspect.getsource(protocol)
    named = [_link(name) for name in _mentioned(source)]
    named += ["[`Mask`](#masks)"] if re.search(r"\bMask\b", source) else []
    if named:
        lines.append(f"Types in it: {', '.join(named)}.\n")
    rows = [f"| `{one.name}` | {_cell(one.promise)}. |" for one in checks_for(kind.name)]
    lines.append("| check | the promise |\n|---|---|\n" + "\n".join(rows) + "\n")
    return "\n".join(lines)


def _wired(kind: Kind) -> str:
    if not kind.wired:
        return "Nothing is wired."
    places = zip(kind.wired, kind.wired_from, strict=True)
    return f"Wired: {', '.join(f'`{name}` (from {place})' for name, place in places)}."


def _declaring() -> str:
    told = [
        "## Declaring a part\n",
        f"A distribution names a module under the entry point group `{GROUP}`; listing imports "
        "that module and asks its hooks, which are marked `@plm_components.hookimpl`.\n",
        "| hook | |\n|---|---|",
        *(f"| `{name}()` | {_cell(_doc(hook))} |" for name, hook in hooks().items()),
        "",
        _code(Component, fields_only=True),
    ]
    return "\n".join(told)


def _legend() -> str:
    """The table of the module, in Markdown."""
    rows = re.findall(r"^(\w)\s{2,}(.+)$", shapes.__doc__ or "", re.M)
    table = "\n".join(f"| `{letter}` | {_cell(meaning)} |" for letter, meaning in rows)
    return (
        "## Shape letters\n\nA tensor's name ends in its shape: `tokens_BNC` is `(B, N, C)`.\n\n"
        f"| letter | |\n|---|---|\n{table}\n"
    )


def _masks() -> str:
    parts = [_code(mask) for mask in get_args(contracts.Mask)]
    return "\n".join(["## Masks\n", f"{inspect.getdoc(masks)}\n", *parts])


def _types() -> str:
    """What the Protocols take and give, and what those name in turn."""
    found: dict[str, None] = {}
    left = [inspect.getsource(one) for one in (*_protocols().values(), *_optional_protocols())]
    while left:
        for name in _mentioned(left.pop(0)):
            if name not in found:
                found[name] = None
                left.append(inspect.getsource(getattr(contracts, name)))
    parts = [f"### {name}\n\n{_code(getattr(contracts, name))}" for name in sorted(found)]
    return "\n".join(["## Types\n", "All are in `plm_components.contracts`.\n", *parts])


def _optional() -> str:
    parts = [f"### {one.__name__}\n\n{_code(one)}" for one in _optional_protocols()]
    told = "A part may promise these besides; of one that does not, none is asked.\n"
    return "\n".join(["## Optional promises\n", told, *parts])


def _errors() -> str:
    rows = [
        f"| `{one.__name__}` | {_cell(_doc(one))} | {_builtins(one)} |" for one in _classes(errors)
    ]
    return "\n".join(
        [
            "## Errors\n",
            "Raise these, with what, where, expected and fix; each is the builtin beside it too.\n",
            "| error | | also |\n|---|---|---|",
            *rows,
            "",
        ]
    )


def _protocols() -> dict[str, type]:
    found = [one for one in vars(contracts).values() if hasattr(one, "__plm_kind__")]
    return {one.__plm_kind__: one for one in found if inspect.isclass(one)}


def _optional_protocols() -> list[type]:
    """Those of no kind that say of themselves that they are optional."""
    named = [_public(name) for name in sorted(contracts.__all__)]
    found = [one for one in named if inspect.isclass(one) and getattr(one, "_is_protocol", False)]
    return [one for one in found if "optional" in (inspect.getdoc(one) or "").lower()]


def _classes(module: ModuleType) -> Iterator[type]:
    """Its public classes, in the order of the file."""
    for one in vars(module).values():
        if inspect.isclass(one) and issubclass(one, errors.PlmError) and one is not errors.PlmError:
            yield one


def _builtins(error: type) -> str:
    also = [one.__name__ for one in error.__mro__ if one.__module__ == "builtins"]
    every = ("Exception", "BaseException", "object")
    return ", ".join(f"`{name}`" for name in also if name not in every)


def _members(protocol: type) -> list[str]:
    """Attributes by name, methods with brackets, in the order of the file."""
    annotated = [name for name in inspect.get_annotations(protocol) if not name.startswith("_")]
    defined = [name for name in vars(protocol) if name == "__call__" or not name.startswith("_")]
    methods = [name for name in defined if name not in annotated]
    return [*annotated, *(_called(protocol, name) for name in methods)]


def _called(protocol: type, name: str) -> str:
    return name if isinstance(vars(protocol)[name], property) else f"{name}()"


def _mentioned(source: str) -> list[str]:
    """Types of the contracts that stand in a source, kinds' own Protocols left out."""
    elsewhere = {one.__name__ for one in (*_protocols().values(), *_optional_protocols())}
    elsewhere |= {mask.__name__ for mask in get_args(contracts.Mask)}
    words = dict.fromkeys(re.findall(r"\b[A-Z]\w+", source))
    return [name for name in words if name not in elsewhere and inspect.isclass(_public(name))]


def _public(name: str) -> Any:
    return getattr(contracts, name) if name in contracts.__all__ else None


def _code(cls: type, *, fields_only: bool = False) -> str:
    source = inspect.getsource(cls)
    if fields_only:
        source = source.partition("\n    def ")[0].rstrip()
    # how a Protocol is told apart is no business of an author's
    kept = [line for line in source.splitlines() if not _is_machinery(line)]
    return "```python\n" + re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip() + "\n```\n"


def _is_machinery(line: str) -> bool:
    return line.strip() in ("@runtime_checkable", "...") or "__plm_kind__" in line


def _link(name: str) -> str:
    return f"[`{name}`](#{name.lower()})"


def _doc(of: Any) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join((inspect.getdoc(of) or "").partition("\n\n")[0].split())


def _cell(text: str) -> str:
    return text.replace("``", "`").replace("|", "\\|")
