"""A declaration checks its own fields."""

import pytest

from plm_components.errors import ContractError
from plm_components.zoo import KINDS, Component, Provider


def test_a_good_declaration_keeps_its_fields():
    component = Component("projector", "gated_pool", "pkg.mod:Outer.Inner", requires=["triton"])
    assert component.address == "projector/gated_pool"
    assert component.requires == ("triton",)


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        (("projectr", "x", "a:B"), "There is no kind 'projectr'."),
        (("projector", "Gated-Pool", "a:B"), "'Gated-Pool' cannot be a component's name."),
        (("projector", "dist:x", "a:B"), "'dist:x' cannot be a component's name."),
        (("projector", 3, "a:B"), "3 cannot be a component's name."),
        (("projector", "x", "a.B"), "'a.B' cannot be a component's target."),
        (("projector", "x", "a:"), "'a:' cannot be a component's target."),
        (("projector", "x", "a:B()"), "'a:B()' cannot be a component's target."),
        (("projector", "x", object), "<class 'object'> cannot be a component's target."),
        (("projector", "x", "a:B", "two\nlines"), "The summary is not one line."),
        (("projector", "x", "a:B", "", 0), "0 cannot be a contract version."),
        (("projector", "x", "a:B", "", True), "True cannot be a contract version."),
        (("projector", "x", "a:B", "", 1, "cuda"), "requires='cuda' is not a tuple of text."),
        (("projector", "x", "a:B", "", 1, (3,)), "requires=(3,) is not a tuple of text."),
    ],
)
def test_a_malformed_field_is_refused(fields, what):
    with pytest.raises(ContractError) as error:
        Component(*fields)
    assert error.value.what == what


def test_the_whole_text_of_a_misspelt_kind():
    with pytest.raises(ContractError) as error:
        Component("projectr", "gated_pool", "pkg:Pool")
    assert str(error.value) == (
        "There is no kind 'projectr'.\n"
        "  where:    component projectr/gated_pool\n"
        f"  expected: one of: {', '.join(KINDS)}\n"
        "  fix:      did you mean projector?"
    )


@pytest.mark.parametrize("name", ["plm-foo", "plm_foo", "PLM.Foo"])
def test_distributions_are_named_as_packaging_names_them(name):
    assert Provider("plm-foo", "1.0").answers_to(name)
    assert not Provider("plm-foo", "1.0").answers_to("plm-fo")


def test_every_wired_argument_says_where_it_comes_from():
    for kind in KINDS.values():
        assert len(kind.wired) == len(kind.wired_from), kind.name
