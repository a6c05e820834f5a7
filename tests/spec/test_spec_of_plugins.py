"""Specs that plugins ship: found by exact names, and put aside with a plugin that is broken."""

import pytest

from plm_components.errors import DuplicateComponentError, SpecError
from plm_components.spec import load_spec, resolve, shipped_specs
from plm_components.zoo import Zoo
from plugin_dists import registering

HOOK = """
from pathlib import Path

@hookimpl
def plm_register_specs():
    {does}
"""
PART = "'projector', 'joint', 'fractions:Fraction'"


def publish(site, module, does, text="base: plm-tiny\nprojector: linear\n", file="tiny-joint"):
    (site.folder / module).mkdir(exist_ok=True)
    (site.folder / module / f"{file}.yaml").write_text(text)
    site.plugin(module + "_plugin", registering(PART) + HOOK.format(does=does))


def ship(site, module, file="tiny-joint", text="base: plm-tiny\nprojector: linear\n"):
    does = f"yield Path(__file__).parent / {module!r} / '{file}.yaml'"
    publish(site, module, does, text, file)


def test_a_spec_is_found_by_its_name_with_or_without_its_plugin(site):
    ship(site, "plm_one")
    zoo = Zoo.discover()
    expected = load_spec("plm-tiny", ["projector=linear"], zoo=zoo)
    assert load_spec("plm-one-plugin:tiny-joint", zoo=zoo) == expected
    assert load_spec("tiny-joint", zoo=zoo) == expected
    assert resolve("PLM_One.plugin:tiny-joint", zoo).parts["projector"].entry.name == "linear"
    [plugin] = [one for one in zoo.plugins if one.provider.distribution == "plm-one-plugin"]
    assert ([spec.name for spec in plugin.specs], plugin.state) == (["tiny-joint"], "loaded")


def test_a_spec_may_be_the_base_of_another(site):
    ship(site, "plm_one")
    child = {"base": "plm-one-plugin:tiny-joint", "decoder": {"dim": 96}}
    assert load_spec(child, zoo=Zoo.discover())["projector"] == {"type": "linear"}


def test_a_name_nobody_ships_is_told_the_nearest(site):
    ship(site, "plm_one")
    with pytest.raises(SpecError) as caught:
        load_spec("plm-one-plugin:tiny-joins", zoo=Zoo.discover())
    names = ", ".join([*shipped_specs(), "plm-one-plugin:tiny-joint"])
    assert str(caught.value) == (
        "No spec is named 'plm-one-plugin:tiny-joins'.\n"
        "  where:    the spec\n"
        f"  expected: one of: {names}; or a path: ./plm-one-plugin:tiny-joins.yaml\n"
        "  fix:      did you mean plm-one-plugin:tiny-joint?"
    )


def test_two_providers_of_one_name(site):
    ship(site, "plm_one")
    ship(site, "plm_two")
    zoo = Zoo.discover()
    with pytest.raises(DuplicateComponentError) as caught:
        load_spec("tiny-joint", zoo=zoo)
    assert str(caught.value) == (
        "The spec tiny-joint is shipped more than once: by plm-one-plugin 1.0 and "
        "plm-two-plugin 1.0.\n"
        "  where:    the spec\n"
        "  expected: one provider of a name\n"
        "  fix:      choose one by its distribution: plm-one-plugin:tiny-joint or "
        "plm-two-plugin:tiny-joint"
    )
    assert load_spec("plm-two-plugin:tiny-joint", zoo=zoo)["projector"] == {"type": "linear"}


def test_a_name_of_ours_is_not_taken_over(site):
    ship(site, "plm_one", "plm-1b", "base: plm-tiny\n")
    zoo = Zoo.discover()
    with pytest.raises(DuplicateComponentError, match=r"plm-components 0\.1\.0 and plm-one-plugin"):
        load_spec("plm-1b", zoo=zoo)
    assert load_spec("plm-components:plm-1b", zoo=zoo) == load_spec("plm-1b", zoo=Zoo())


@pytest.mark.parametrize(
    ("does", "why"),
    [
        ("raise KeyError('x')", "KeyError: 'x'"),
        ("return 3", "TypeError: 'int' object is not iterable"),
        ("yield 'tiny-joint.yaml'", "PluginError: 'tiny-joint.yaml' names no spec."),
        ("yield Path(__file__)", "names no spec."),
        ("yield Path('Tiny Joint.yaml')", "names no spec."),
        ("yield Path('absent.yaml')", "PluginError: There is no spec absent.yaml."),
    ],
)
def test_a_plugin_whose_specs_are_broken_is_put_aside(site, does, why):
    publish(site, "plm_one", does)
    ship(site, "plm_two")
    zoo = Zoo.discover()
    [plugin] = [one for one in zoo.plugins if one.provider.distribution == "plm-one-plugin"]
    assert (plugin.state, plugin.entries, plugin.specs) == ("quarantined", (), ())
    assert plugin.why.endswith(why)
    assert [spec.qualified for spec in zoo.specs] == ["plm-two-plugin:tiny-joint"]


def test_what_a_spec_says_is_read_when_it_is_used(site):
    ship(site, "plm_one", text="a: b: c\n")
    zoo = Zoo.discover()
    with pytest.raises(SpecError) as caught:
        load_spec("tiny-joint", zoo=zoo)
    assert caught.value.where == "tiny-joint"
