"""References: OmegaConf's notation, bounded, and without its resolvers."""

import pytest
from omegaconf import OmegaConf

from plm_components.errors import SpecError
from plm_components.spec import load_spec


def fault_of(tree):
    with pytest.raises(SpecError) as error:
        load_spec(tree)
    return error.value


@pytest.mark.parametrize(
    "tree",
    [
        {"a": {"x": 3, "y": "${a.x}"}},
        {"a": {"x": 3, "y": "${.x}"}},
        {"a": {"x": 3, "b": {"y": "${..x}"}}},
        {"a": {"x": True, "y": "${a.x}", "z": "${a.y}"}},
        {"a": {"x": None, "y": "${a.x}"}},
        {"a": {"x": [1, {"k": 2}], "y": "${a.x}", "z": "${a.x.1.k}"}},
        {"a": {"x": {"k": [1]}, "y": "${a.x}"}, "b": "${a.y.k.0}"},
        {"a": {"x": 3, "y": "n${a.x}m${.x}"}, "b": "${a.y}!"},
        {"a": {"with-dash": 1.5}, "b": "${a.with-dash}"},
        {"a": "$", "b": "a$b", "c": "{x}"},
    ],
)
def test_references_mean_what_they_mean_in_omegaconf(tree):
    oracle = OmegaConf.to_container(OmegaConf.create(tree), resolve=True)
    assert load_spec(tree) == {"plm": 1, **oracle}


def test_references_see_overrides():
    tree = {"decoder": {"type": "a", "dim": 8}, "projector": {"type": "b", "x": "${decoder.dim}"}}
    assert load_spec(tree, ["decoder.dim=16"])["projector"]["x"] == 16
    assert load_spec(tree, ["projector.x=${decoder.type}"])["projector"]["x"] == "a"


@pytest.mark.parametrize(
    "text",
    ["${oc.env:HOME}", "${oc.decode:1}", "${", "${}", "${a b}", "\\${a}", "${${a}}", "x ${a:b} y"],
)
def test_resolvers_and_escapes_are_refused(text):
    error = fault_of({"decoder": {"x": text, "a": 1}})
    assert error.what == f"{text!r} is no reference."
    assert (error.where, error.fix) == ("decoder.x", "write the value itself")


def test_a_reference_that_leads_nowhere_suggests():
    assert str(fault_of({"decoder": {"dim": 8}, "projector": {"x": "${decoder.dimm}"}})) == (
        "${decoder.dimm} leads nowhere: decoder has no 'dimm'.\n"
        "  where:    projector.x\n"
        "  expected: the path of a value in this spec\n"
        "  fix:      did you mean dim?"
    )


@pytest.mark.parametrize("text", ["${a.x.deeper}", "${a.9}", "${.....a}", "${b.0}"])
def test_references_through_what_has_no_keys(text):
    assert "leads nowhere" in fault_of({"a": {"x": 1}, "b": [], "c": text}).what


def test_circles_are_told_as_chains():
    error = fault_of({"a": "${b}", "b": "${c}", "c": "${a}"})
    assert error.what == "References run in a circle: a -> b -> c -> a."
    assert len(error.faults) == 1


@pytest.mark.parametrize("tree", [{"a": "${a}"}, {"a": {"x": "${a}"}}, {"a": "x${.a}"}])
def test_a_reference_to_itself(tree):
    assert "run in a circle" in fault_of(tree).what


def test_only_text_and_numbers_go_into_text():
    assert "neither text nor a number" in fault_of({"a": {"b": 1}, "c": "x${a}"}).what


def test_all_broken_references_are_told_together():
    assert len(fault_of({"a": "${x}", "b": "${y}", "c": "${a}"}).faults) == 2


@pytest.mark.parametrize(
    "tree",
    [
        {"x0": "ab" * 20} | {f"x{i}": f"${{x{i - 1}}}" * 9 for i in range(1, 20)},
        {"x0": {"k": 1}}
        | {f"x{i}": dict.fromkeys("abcdefgh", f"${{x{i - 1}}}") for i in range(1, 20)},
        {f"x{i}": f"${{x{i + 1}}}" for i in range(500)} | {"x500": 1},
    ],
)
def test_references_cannot_grow_without_bound(tree):
    assert "without bound" in (error := fault_of(tree)).what or "too large" in error.what


def test_a_reference_cannot_be_assembled():
    assert "became a reference" in fault_of({"a": "$", "b": "${a}{c}", "c": 1}).what


def test_a_value_that_no_one_set_is_told():
    tree = {"decoder": {"type": "a", "dim": "???", "x": [1, "???"]}, "projector": "${decoder.dim}"}
    error = fault_of(tree)
    assert [fault.where for fault in error.faults] == ["decoder.dim", "decoder.x.1"]
    assert error.faults[0].what == "decoder.dim is still ???."
    assert load_spec(tree, ["decoder.dim=4", "decoder.x=1"])["decoder"]["dim"] == 4
