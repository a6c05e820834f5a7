"""A constructor that asks for every part of a kind is offered the zoo, and no spec can set it."""

from __future__ import annotations

from typing import Annotated, Any

import pytest

from plm_components.contracts import Candidates, Pooling
from plm_components.errors import (
    DuplicateComponentError,
    PlmError,
    SpecError,
    UnavailableError,
    UnsupportedError,
)
from plm_components.spec import EveryPart, offers_of, resolve_part, signature_of
from plm_components.zoo import Component, Provider, Zoo


class Choosy:
    """Chooses among poolings."""

    def __init__(
        self, *, size: int = 1, candidates: Annotated[Candidates, EveryPart("pooling")]
    ) -> None:
        self.size, self.candidates = size, candidates


class Needy:
    """Cannot be built without being told."""

    def __init__(self, *, depth: int, inner: Pooling) -> None: ...


class Plain:
    """Needs nothing."""


@pytest.fixture
def zoo() -> Zoo:
    zoo = Zoo()
    for name, target, provider, requires in (
        ("choosy", f"{__name__}:Choosy", "plm-a", ()),
        ("plain", f"{__name__}:Plain", "plm-b", ()),
        ("plain", f"{__name__}:Plain", "plm-a", ()),
        ("needy", f"{__name__}:Needy", "plm-a", ()),
        ("other", f"{__name__}:Choosy", "plm-b", ()),
        ("absent", f"{__name__}:Plain", "plm-b", ("plm-nowhere",)),
        ("dark", "plm_no_such_module:Plain", "plm-b", ("cuda",)),
    ):
        component = Component("pooling", name, target, requires=requires)
        zoo.add(component, provider=Provider(provider, "1.2"))
    return zoo


def candidates(zoo: Zoo) -> dict[str, Any]:
    return resolve_part("pooling", "choosy", zoo, path="p").candidates["candidates"]


def test_the_signature_keeps_them_apart_from_options_and_slots() -> None:
    signature = signature_of(Choosy, "pooling")

    assert signature.candidates == {"candidates": "pooling"}
    assert list(signature.options) == ["size"]
    assert signature.slots == {}


def test_every_other_part_of_the_kind_is_offered_by_its_qualified_name(zoo: Zoo) -> None:
    offers = candidates(zoo)

    assert list(offers) == [
        "plm-b:absent",
        "plm-b:dark",
        "plm-a:needy",
        "plm-b:other",
        "plm-a:plain",
        "plm-b:plain",
    ]
    plain = offers["plm-b:plain"]
    assert (plain.address, plain.distribution, plain.version) == ("pooling/plain", "plm-b", "1.2")
    assert (plain.status, plain.reason) == ("available", None)
    assert plain.load() is Plain


def test_a_part_file_is_told_by_its_hash() -> None:
    zoo = Zoo()
    provider = Provider("./mine.py", "unpublished", sha256="0123456789abcdef")
    zoo.add(Component("pooling", "mine", f"{__name__}:Plain"), provider=provider)

    assert offers_of(zoo, "pooling")["./mine.py:mine"].version == "sha256 0123456789ab"


def test_what_cannot_be_used_says_why_and_is_not_imported(zoo: Zoo) -> None:
    offers = candidates(zoo)

    assert offers["plm-b:absent"].status == "unavailable"
    assert offers["plm-b:absent"].reason == "needs plm-nowhere, which is not installed"
    with pytest.raises(UnavailableError):
        offers["plm-b:absent"].load()
    # its module does not exist: it was declared, and nothing more
    assert (offers["plm-b:dark"].status, offers["plm-b:dark"].reason) == ("available", "needs cuda")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("plm-b:other", "pooling/other cannot be chosen: it chooses among others itself."),
        (
            "plm-a:needy",
            "pooling/needy cannot be chosen: it needs depth, inner, which only a spec can say.",
        ),
    ],
)
def test_what_cannot_be_built_from_what_is_wired_is_refused(zoo: Zoo, name: str, why: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        candidates(zoo)[name].load()

    address = name.partition(":")[2]
    assert str(caught.value) == (
        f"{why}\n"
        f"  where:    pooling/{address}, from {name.partition(':')[0]} 1.2\n"
        "  expected: a part built from what its kind wires alone\n"
        f"  fix:      name it in the spec: type: {name}"
    )


def test_two_parts_of_one_qualified_name_are_never_confused(zoo: Zoo) -> None:
    second = Component("pooling", "plain", f"{__name__}:Needy")
    zoo.add(second, provider=Provider("plm-b", "1.2"))
    offer = candidates(zoo)["plm-b:plain"]

    assert (offer.status, offer.reason) == ("ambiguous", "shares its name with another part")
    with pytest.raises(DuplicateComponentError, match="plm-b:plain means several parts"):
        offer.load()


def test_a_spec_cannot_fill_them(zoo: Zoo) -> None:
    with pytest.raises(SpecError) as caught:
        resolve_part("pooling", {"type": "choosy", "candidates": ["plain"]}, zoo, path="p")

    assert str(caught.value) == (
        "candidates holds every other pooling there is.\n"
        "  where:    p.candidates\n"
        "  expected: options of pooling/choosy: size\n"
        "  fix:      delete the key candidates"
    )


def test_an_unknown_kind_is_an_error() -> None:
    with pytest.raises(PlmError, match="There is no kind 'engine'"):
        offers_of(Zoo(), "engine")
