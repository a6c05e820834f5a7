"""Constructors are declarations; those that break the rules are refused by name."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Optional, Union

import pytest
import spec_fakes as fakes
from hypothesis import given, settings
from hypothesis import strategies as st

from plm_components.errors import ContractError
from plm_components.spec import MISSING, DefaultPart, EveryPart, Option, Slot, signature_of
from plm_components.spec.option_types import shaped, type_text, value_fault
from plm_components.spec.plain import plain

if TYPE_CHECKING:
    from decimal import Decimal


class Red(Enum):
    DARK = 1
    LIGHT = 2


def test_the_star_is_the_border():
    signature = signature_of(fakes.MLP, "projector")
    assert signature.wired == ("in_dim", "out_dim")
    assert list(signature.options) == [
        "pool",
        "temperature",
        "bias",
        "activation",
        "colour",
        "scale",
    ]
    assert signature.options["pool"] == Option("pool", int, 2)
    assert signature.slots == {"pooling": Slot("pooling", "pooling", "mean", False, True)}


def test_a_factory_is_a_repeated_slot():
    signature = signature_of(fakes.Llama, "decoder")
    assert signature.slots == {"block": Slot("block", "decoder_block", None, True, False)}
    assert signature.options["dim"].default is MISSING
    assert repr(MISSING) == "MISSING"


def test_a_class_without_a_constructor_takes_nothing():
    signature = signature_of(fakes.Bare, "pooling")
    assert (signature.wired, signature.options, signature.slots) == ((), {}, {})


def test_slots_in_every_spelling():
    class Part:
        def __init__(
            self,
            *,
            a: fakes.PoolingLike,
            b: fakes.PoolingLike | None = None,
            c: Optional[fakes.PoolingLike] = None,  # noqa: UP045
            d: Annotated[fakes.PoolingLike, DefaultPart("mean")],
            e: Annotated[fakes.PoolingLike, DefaultPart("mean")] | None = None,
            f: Annotated[Callable[[int], fakes.BlockLike], DefaultPart("prenorm")],
            g: Callable[[int], fakes.BlockLike] | None = None,
        ) -> None: ...

    assert list(signature_of(Part, "pooling").slots.values()) == [
        Slot("a", "pooling", None, False, False),
        Slot("b", "pooling", None, False, True),
        Slot("c", "pooling", None, False, True),
        Slot("d", "pooling", "mean", False, False),
        Slot("e", "pooling", "mean", False, True),
        Slot("f", "decoder_block", "prenorm", True, False),
        Slot("g", "decoder_block", None, True, True),
    ]


ALLOWED = [
    (int, "int"),
    (bool | None, "bool | null"),
    (Path, "Path"),
    (Red, "'DARK' or 'LIGHT'"),
    (Literal["a", 1, True], "'a' or 1 or True"),
    (Union[int, str], "int | str"),  # noqa: UP007
    (list[int], "list[int]"),
    (list[list[float]] | None, "list[list[float]] | null"),
    (tuple[int, ...], "tuple[int, ...]"),
    (tuple[int, str], "tuple[int, str]"),
    (dict[str, Any], "dict[str, Any]"),
    (dict[str, list[Path]], "dict[str, list[Path]]"),
    (str | list[str], "str | list[str]"),
    (list[int | str | None], "list[int | str | null]"),
    (Annotated[int, "a note"], "int"),
]


@pytest.mark.parametrize(("annotation", "text"), ALLOWED)
def test_option_types(annotation, text):
    class Part:
        def __init__(self, *, x) -> None: ...

    Part.__init__.__annotations__["x"] = annotation
    assert str(signature_of(Part, "pooling").options["x"]) == f"x: {text}"


@pytest.mark.parametrize(
    ("annotation", "why"),
    [
        (Any, "Any says nothing: name a type"),
        (object, "object cannot be written in YAML"),
        (bytes, "bytes cannot be written in YAML"),
        (complex, "complex cannot be written in YAML"),
        (list, "say of what: list[...]"),
        (dict[int, str], "the keys of a dict are str"),
        (list[tuple[int, int]], "a tuple stands only outermost: use a list within"),
        (list[float | str], "within a list or dict a union is X | None, or of bool, int and str"),
        (set[int], "it is none of the types below"),
        (type[int], "it is none of the types below"),
        (Literal[b"x"], "b'x' in Literal is no text, number or bool"),
        (int | bytes, "bytes cannot be written in YAML"),
    ],
)
def test_annotations_that_no_yaml_can_fill(annotation, why):
    class Part:
        def __init__(self, *, x) -> None: ...

    Part.__init__.__annotations__["x"] = annotation
    with pytest.raises(ContractError) as error:
        signature_of(Part, "pooling")
    assert error.value.what.endswith(f"is no option type: {why}.")


def broken():
    class WrongWired:
        def __init__(self, in_dim: int, *, out_dim: int) -> None: ...

    class Swapped:
        def __init__(self, out_dim: int, in_dim: int) -> None: ...

    class NoAnnotation:
        def __init__(self, in_dim: int, out_dim: int, *, pool=2) -> None: ...

    class Unresolved:
        def __init__(self, in_dim: int, out_dim: int, *, pool: Decimal) -> None: ...

    class Reserved:
        def __init__(self, in_dim: int, out_dim: int, *, weights: str) -> None: ...

    class Kwargs:
        def __init__(self, in_dim: int, out_dim: int, **options: int) -> None: ...

    class WrongDefault:
        def __init__(self, in_dim: int, out_dim: int, *, pool: int = "2") -> None: ...

    class NoneDefault:
        def __init__(self, in_dim: int, out_dim: int, *, pool: int = None) -> None: ...  # noqa: RUF013

    class SlotDefault:
        def __init__(self, in_dim: int, out_dim: int, *, p: fakes.PoolingLike = 3) -> None: ...

    class Factory:
        def __init__(self, in_dim: int, out_dim: int, *, p: Callable[[str], int]) -> None: ...

    class NoKind:
        def __init__(self, in_dim: int, out_dim: int, *, p: Callable[[int], int]) -> None: ...

    class DefaultOfNothing:
        def __init__(
            self, in_dim: int, out_dim: int, *, p: Annotated[int, DefaultPart("x")]
        ) -> None: ...

    class EveryOfNothing:
        def __init__(
            self, in_dim: int, out_dim: int, *, p: Annotated[dict, EveryPart("engine")]
        ) -> None: ...

    class EveryAndDefault:
        def __init__(
            self,
            in_dim: int,
            out_dim: int,
            *,
            p: Annotated[dict, EveryPart("pooling")] = {},  # noqa: B006
        ) -> None: ...

    return {cls.__name__: cls for cls in locals().values()}


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("WrongWired", "its constructor has (in_dim) before the *"),
        ("Swapped", "its constructor has (out_dim, in_dim) before the *"),
        ("NoAnnotation", "pool has no annotation"),
        (
            "Unresolved",
            "its annotations do not resolve: NameError: name 'Decimal' is not defined",
        ),
        ("Reserved", "weights is a reserved word of every slot"),
        ("Kwargs", "its constructor takes **options: 'int'"),
        ("WrongDefault", "the default '2' of pool is not of its type"),
        ("NoneDefault", "the default None of pool is not of its type"),
        ("SlotDefault", "the slot p has the default 3"),
        ("Factory", "p is Callable"),
        ("NoKind", "p is declared as a part of no known kind"),
        ("DefaultOfNothing", "p is declared as a part of no known kind"),
        ("EveryOfNothing", "p asks for every part of the kind 'engine', which there is not"),
        ("EveryAndDefault", "p asks for every pooling and has a default"),
    ],
)
def test_a_constructor_that_breaks_a_rule_is_refused_by_name(name, why):
    with pytest.raises(ContractError) as error:
        signature_of(broken()[name], "projector")
    assert error.value.what.startswith(f"{name} cannot be a component: {why}")
    assert error.value.where.endswith(f"{name}.__init__")


def test_the_whole_text_of_a_broken_constructor():
    with pytest.raises(ContractError) as error:
        signature_of(broken()["WrongWired"], "projector")
    assert str(error.value) == (
        "WrongWired cannot be a component: its constructor has (in_dim) before the *.\n"
        f"  where:    {__name__}.broken.<locals>.WrongWired.__init__\n"
        "  expected: (in_dim, out_dim), which a projector of contract 1 is wired\n"
        "  fix:      move options behind a bare *, and take what is wired in this order"
    )


@pytest.mark.parametrize(
    ("value", "annotation", "shape"),
    [
        (1, float, 1.0),
        (1, float | str, 1.0),
        (1, int | float, 1),
        ("x", Path | int, Path("x")),
        ("DARK", Red, Red.DARK),
        ("DARK", Red | int, Red.DARK),
        ([1, 2], tuple[float, float], (1.0, 2.0)),
        ([1, 2], tuple[int, ...] | None, (1, 2)),
        ([], list[int] | None, []),
        (None, list[int] | None, None),
        (None, int | str | None, None),
        ({"a": [1, {"b": None}]}, dict[str, Any], {"a": [1, {"b": None}]}),
        ({"a": 1}, dict[str, float], {"a": 1.0}),
        ("1", str | int, "1"),
        (True, bool | int, True),
        ("$x {y} ???x", str, "$x {y} ???x"),
    ],
)
def test_checked_values_take_their_type(value, annotation, shape):
    assert value_fault(value, annotation) is None
    found = shaped({"x": value}, {"x": annotation})["x"]
    assert found == shape
    assert type(found) is type(shape)


@pytest.mark.parametrize(
    ("value", "annotation"),
    [
        ("4", int),
        (4.0, int),
        (True, int),
        (1, bool),
        ("yes", bool),
        ("true", bool),
        (4, str),
        (True, float),
        ("4", float),
        (None, int),
        ("dark", Red),
        (1, Red),
        (1, Literal[True]),
        (True, Literal[1]),
        ("b", Literal["a"]),
        ([1], tuple[int, int]),
        ([1, "2"], list[int]),
        ({"a": "1"}, dict[str, int]),
        ("a", list[str]),
        (["a"], str),
        ({}, str | None),
        (3, Path),
    ],
)
def test_nothing_is_coerced(value, annotation):
    assert value_fault(value, annotation) is not None


primitives = (
    st.none() | st.booleans() | st.integers(-99, 99) | st.floats(-9, 9) | st.sampled_from("ab")
)
values = st.recursive(
    primitives,
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.sampled_from("xy"), v),
    max_leaves=5,
)


@settings(database=None, deadline=None, max_examples=80)
@given(values, st.sampled_from([annotation for annotation, _ in ALLOWED[:-1]]))
def test_what_passes_the_check_keeps_its_value(value, annotation):
    """The check and OmegaConf agree, whatever the value: nothing it lets by fails or changes."""
    if value_fault(value, annotation) is not None:
        return
    assert plain(shaped({"x": value}, {"x": annotation})["x"], "test") == value


def test_a_type_is_told_as_it_is_written():
    assert type_text(None) == "null"
