"""Look-up is exact, suggests, and never chooses between two."""

import pytest

from plm_components.errors import (
    DuplicateComponentError,
    PluginError,
    UnavailableError,
    UnknownComponentError,
)
from plm_components.zoo import Component, Provider, Zoo, list_components

FOO = Provider("plm-foo", "1.2")
BAR = Provider("plm-bar", "0.3.1")


def zoo_of(*rows):
    zoo = Zoo()
    for provider, component in rows:
        zoo.add(component, provider=provider)
    return zoo


def test_a_name_is_found_exactly():
    zoo = zoo_of((FOO, Component("projector", "linear", "fractions:Fraction")))
    entry = zoo.get("projector", "linear")
    assert (entry.address, entry.kind, entry.name) == ("projector/linear", "projector", "linear")
    assert entry.load().__name__ == "Fraction"


@pytest.mark.parametrize("name", ["Linear", "line", "linear ", "", "lin*", "projector/linear"])
def test_nothing_near_is_ever_matched(name):
    zoo = zoo_of((FOO, Component("projector", "linear", "a:B")))
    with pytest.raises(UnknownComponentError):
        zoo.get("projector", name)


def test_an_unknown_name_lists_what_exists_and_suggests():
    zoo = zoo_of(
        (FOO, Component("projector", "avg_pool_mlp", "a:B")),
        (FOO, Component("projector", "linear", "a:B")),
    )
    with pytest.raises(UnknownComponentError) as error:
        zoo.get("projector", "avg_pol_mlp")
    assert str(error.value) == (
        "No projector is named 'avg_pol_mlp'.\n"
        "  where:    projector/avg_pol_mlp\n"
        "  expected: one of: avg_pool_mlp, linear\n"
        "  fix:      did you mean avg_pool_mlp?"
    )


def test_a_name_of_another_kind_is_pointed_out():
    zoo = zoo_of(
        (FOO, Component("pooling", "mean", "a:B")), (FOO, Component("projector", "linear", "a:B"))
    )
    with pytest.raises(UnknownComponentError) as error:
        zoo.get("projector", "mean")
    assert error.value.fix == "pooling/mean exists, but this place takes a projector"


def test_an_unknown_kind_suggests():
    with pytest.raises(UnknownComponentError) as error:
        Zoo().get("projektor", "linear")
    assert error.value.fix == "did you mean projector?"
    with pytest.raises(UnknownComponentError):
        list_components("projektor", zoo=Zoo())


def test_two_providers_of_a_name_are_both_named_and_can_be_chosen():
    zoo = zoo_of(
        (FOO, Component("projector", "linear", "fractions:Fraction")),
        (BAR, Component("projector", "linear", "decimal:Decimal")),
        (BAR, Component("projector", "other", "decimal:Decimal")),
    )
    with pytest.raises(DuplicateComponentError) as error:
        zoo.get("projector", "linear")
    assert str(error.value) == (
        "projector/linear is registered more than once: by plm-foo 1.2 and plm-bar 0.3.1.\n"
        "  where:    projector/linear\n"
        "  expected: one provider of a name\n"
        "  fix:      choose one by its distribution: type: plm-foo:linear or type: plm-bar:linear"
    )
    assert zoo.get("projector", "plm-bar:linear").load().__name__ == "Decimal"
    assert zoo.get("projector", "plm_foo:linear").load().__name__ == "Fraction"
    assert zoo.get("projector", "other").provider is BAR


def test_one_provider_with_two_targets_of_a_name_is_told_so():
    zoo = zoo_of(
        (FOO, Component("projector", "linear", "a:A")),
        (FOO, Component("projector", "linear", "a:B")),
    )
    with pytest.raises(DuplicateComponentError) as error:
        zoo.get("projector", "plm-foo:linear")
    assert error.value.fix == "plm-foo:linear is both a:A and a:B: one of them needs another name"


def test_the_same_declaration_twice_is_one():
    component = Component("projector", "linear", "a:B")
    zoo = zoo_of((FOO, component), (FOO, component))
    assert len(zoo.entries()) == 1
    assert zoo.get("projector", "linear").component == component


def test_a_distribution_that_does_not_have_the_name_is_unknown():
    zoo = zoo_of((FOO, Component("projector", "linear", "a:B")))
    with pytest.raises(UnknownComponentError) as error:
        zoo.get("projector", "plm-fooo:linear")
    assert error.value.fix.startswith("did you mean")
    assert "plm-foo:linear" in error.value.fix


def test_a_copy_can_be_added_to_alone():
    zoo = zoo_of((FOO, Component("projector", "linear", "a:B")))
    other = zoo.copy()
    other.add(Component("projector", "mine", "a:B"))
    assert [entry.name for entry in other.entries("projector")] == ["linear", "mine"]
    assert [entry.name for entry in zoo.entries("projector")] == ["linear"]


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("no_such_module_here:X", "ModuleNotFoundError: No module named 'no_such_module_here'"),
        ("fractions:Nope", "AttributeError: module 'fractions' has no attribute 'Nope'"),
        ("fractions:gcd_missing.x", "AttributeError:"),
        ("math:sqrt", "it is <built-in function sqrt>, no class"),
    ],
)
def test_a_wrong_target_is_one_clear_error(target, why):
    entry = zoo_of((FOO, Component("projector", "x", target))).get("projector", "x")
    with pytest.raises(PluginError) as error:
        entry.load()
    assert error.value.what.startswith(f"The target of projector/x cannot be used: {why}")
    assert error.value.where == f"{target}, from plm-foo 1.2"


def test_a_target_that_leaves_the_process_does_not(tmp_path, monkeypatch):
    (tmp_path / "part_that_exits.py").write_text("import sys\nsys.exit(3)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    entry = zoo_of((FOO, Component("projector", "x", "part_that_exits:X"))).get("projector", "x")
    with pytest.raises(PluginError, match="SystemExit: 3"):
        entry.load()


def test_another_contract_is_unavailable_and_says_why():
    zoo = zoo_of((FOO, Component("projector", "x", "a:B", contract=2)))
    entry = zoo.get("projector", "x")
    assert (entry.status, entry.reason) == (
        "incompatible",
        "speaks contract 2 of projector, newer than the 1 spoken here",
    )
    with pytest.raises(UnavailableError) as error:
        entry.load()
    assert error.value.expected == "contract 1"
