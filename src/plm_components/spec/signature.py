"""A component's constructor, read as a declaration: what is wired, what a spec may set, what nests.

The star is the border: arguments before it are wired by the assembler, arguments after it are
options of the spec, slots for nested parts, or places for every part of a kind, told apart by their
annotations.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any, Final, NoReturn, get_args, get_origin, get_type_hints

from plm_components.errors import ContractError, SpecError
from plm_components.spec.layout import RESERVED
from plm_components.spec.option_types import annotation_fault, is_union, type_text, value_fault
from plm_components.spec.plain import plain
from plm_components.spec.slots import DefaultPart, EveryPart
from plm_components.zoo.kinds import KINDS


class Missing(Enum):
    """The default of an option that has none."""

    MISSING = "MISSING"

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = Missing.MISSING


@dataclass(frozen=True)
class Option:
    """A value that a spec may set.

    Args:
        name: Its key.
        annotation: Its type.
        default: What it is when the spec is silent, or ``MISSING``.
    """

    name: str
    annotation: Any
    default: Any

    def __str__(self) -> str:
        told = "" if self.default is MISSING else f" = {self.default!r}"
        return f"{self.name}: {type_text(self.annotation)}{told}"


@dataclass(frozen=True)
class Slot:
    """A place for a nested part.

    Args:
        name: Its key.
        kind: Kind of the part.
        default: Component that fills it when the spec is silent; None for none.
        repeated: Whether the constructor takes a factory of the layer index.
        optional: Whether it may stay empty.
    """

    name: str
    kind: str
    default: str | None
    repeated: bool
    optional: bool


@dataclass(frozen=True)
class PartSignature:
    """A constructor's declaration.

    Args:
        wired: Arguments before the star, in order.
        options: Arguments after it that a spec sets.
        slots: Arguments after it that are parts.
        candidates: Arguments after it that hold every other part of a kind: their kinds.
    """

    wired: tuple[str, ...]
    options: dict[str, Option]
    slots: dict[str, Slot]
    candidates: dict[str, str] = field(default_factory=dict)


def signature_of(cls: type[Any], kind: str) -> PartSignature:
    """Reads a component's constructor.

    Args:
        cls: The component's class.
        kind: The kind it is registered as.

    Raises:
        ContractError: the constructor breaks a rule: a wired name that the kind does not have, an
            annotation that is missing, does not resolve or is no option type, a reserved name.
    """
    hints = _hints(cls)
    wired: list[str] = []
    options: dict[str, Option] = {}
    slots: dict[str, Slot] = {}
    candidates: dict[str, str] = {}
    for parameter in _parameters(cls):
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            wired.append(parameter.name)
            continue
        annotation = _annotation(cls, parameter, hints)
        every = _every_part(cls, parameter, annotation)
        if every is not None:
            candidates[parameter.name] = every.kind
        elif (slot := _slot(cls, parameter, annotation)) is not None:
            slots[parameter.name] = slot
        else:
            options[parameter.name] = _option(cls, parameter, annotation)
    _check_wired(cls, kind, tuple(wired))
    return PartSignature(tuple(wired), options, slots, candidates)


def _parameters(cls: type[Any]) -> list[inspect.Parameter]:
    parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
    star = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    if "__init__" not in vars(cls) and all(parameter.kind in star for parameter in parameters):
        return []  # object's or a framework's own constructor: it takes nothing
    for parameter in parameters:
        if parameter.kind in star:
            _refuse(
                cls,
                f"its constructor takes {parameter}",
                "named arguments only: they are what a spec may set",
                "name the options after a bare *",
            )
    return parameters


def _hints(cls: type[Any]) -> dict[str, Any]:
    try:
        return get_type_hints(cls.__init__, include_extras=True)
    except Exception as error:  # an annotation is any expression
        _refuse(
            cls,
            f"its annotations do not resolve: {type(error).__name__}: {error}",
            "annotations that resolve at run time",
            "import their names outside TYPE_CHECKING",
        )


def _check_wired(cls: type[Any], kind: str, found: tuple[str, ...]) -> None:
    wanted = KINDS[kind].wired
    if found != wanted:
        _refuse(
            cls,
            f"its constructor has ({', '.join(found)}) before the *",
            f"({', '.join(wanted)}), which a {kind} of contract {KINDS[kind].contract} is wired",
            "move options behind a bare *, and take what is wired in this order",
        )


def _annotation(cls: type[Any], parameter: inspect.Parameter, hints: dict[str, Any]) -> Any:
    if parameter.name in RESERVED:
        _refuse(
            cls,
            f"{parameter.name} is a reserved word of every slot",
            f"an option of another name than {', '.join(RESERVED)}",
            f"rename {parameter.name}",
        )
    if parameter.name not in hints:
        _refuse(
            cls,
            f"{parameter.name} has no annotation",
            "a type for every option",
            f"annotate {parameter.name}",
        )
    return hints[parameter.name]


def _every_part(cls: type[Any], parameter: inspect.Parameter, annotation: Any) -> EveryPart | None:
    marks = get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()
    every = next((mark for mark in marks if isinstance(mark, EveryPart)), None)
    if every is None:
        return None
    if every.kind not in KINDS:
        _refuse(
            cls,
            f"{parameter.name} asks for every part of the kind {every.kind!r}, which there is not",
            f"one of: {', '.join(KINDS)}",
            f"name a kind: EveryPart({next(iter(KINDS))!r})",
        )
    if parameter.default is not inspect.Parameter.empty:
        _refuse(
            cls,
            f"{parameter.name} asks for every {every.kind} and has a default",
            "no default: the zoo always fills it",
            f"take the default of {parameter.name} away",
        )
    return every


def _slot(cls: type[Any], parameter: inspect.Parameter, annotation: Any) -> Slot | None:
    """A slot is known by its annotation: a protocol of a kind, or a factory of one."""
    plain_annotation, default = _without_default_part(annotation)
    inner, optional = _without_none(plain_annotation)
    inner, inner_default = _without_default_part(inner)
    default = default or inner_default
    repeated = get_origin(inner) is Callable
    protocol = _made_by(cls, parameter, inner) if repeated else inner
    kind = getattr(protocol, "__plm_kind__", None) if isinstance(protocol, type) else None
    if kind is None and not repeated and default is None:
        return None
    _check_slot(cls, parameter, kind, optional)
    return Slot(parameter.name, str(kind), default, repeated, optional)


def _check_slot(
    cls: type[Any], parameter: inspect.Parameter, kind: str | None, optional: bool
) -> None:
    name = parameter.name
    if kind not in KINDS:
        _refuse(
            cls,
            f"{name} is declared as a part of no known kind",
            f"a protocol of one of: {', '.join(KINDS)}",
            f"annotate {name} with a protocol from plm_components.contracts",
        )
    empty = parameter.default is inspect.Parameter.empty
    if not empty and not (optional and parameter.default is None):
        _refuse(
            cls,
            f"the slot {name} has the default {parameter.default!r}",
            "no default, or None for an optional slot",
            f'name the default part: Annotated[..., DefaultPart("name")] for {name}',
        )


def _made_by(cls: type[Any], parameter: inspect.Parameter, factory: Any) -> Any:
    arguments = get_args(factory)
    if len(arguments) != 2 or arguments[0] != [int]:
        _refuse(
            cls,
            f"{parameter.name} is {type_text(factory)}",
            "Callable[[int], Protocol]: a factory of the layer index",
            f"annotate {parameter.name} so, or make it an option of another type",
        )
    return arguments[1]


def _option(cls: type[Any], parameter: inspect.Parameter, annotation: Any) -> Option:
    annotation = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    fault = annotation_fault(annotation)
    if fault is not None:
        _refuse(
            cls,
            f"{parameter.name}: {type_text(annotation)} is no option type: {fault}",
            "bool, int, float, str, Path, Enum, Literal, and Optional, Union, list, tuple, dict",
            "write it with these, or make it a nested part",
        )
    if parameter.default is inspect.Parameter.empty:
        return Option(parameter.name, annotation, MISSING)
    if not _is_value(parameter.default, annotation):
        _refuse(
            cls,
            f"the default {parameter.default!r} of {parameter.name} is not of its type",
            type_text(annotation),
            "mend the default, or widen the annotation",
        )
    return Option(parameter.name, annotation, parameter.default)


def _is_value(default: Any, annotation: Any) -> bool:
    try:
        return value_fault(plain(default, "default"), annotation) is None
    except SpecError:
        return False


def _without_default_part(annotation: Any) -> tuple[Any, str | None]:
    if get_origin(annotation) is not Annotated:
        return annotation, None
    inner, *marks = get_args(annotation)
    names = [mark.name for mark in marks if isinstance(mark, DefaultPart)]
    return (inner, names[0]) if names else (annotation, None)


def _without_none(annotation: Any) -> tuple[Any, bool]:
    members = get_args(annotation) if is_union(annotation) else ()
    rest = [member for member in members if member is not type(None)]
    if len(rest) == 1 and len(members) == 2:
        return rest[0], True
    return annotation, False


def _refuse(cls: type[Any], what: str, expected: str, fix: str) -> NoReturn:
    name = f"{cls.__module__}.{cls.__qualname__}"
    raise ContractError(
        f"{cls.__name__} cannot be a component: {what}.",
        where=f"{name}.__init__",
        expected=expected,
        fix=fix,
    )
