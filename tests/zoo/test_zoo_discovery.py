"""Plugins are found by entry point; one that fails is put aside and takes no one with it."""

from dataclasses import replace

import pytest

from misbehaving import CASES, FINE, QUARANTINED, install_all
from plm_components.errors import (
    DuplicateComponentError,
    PluginError,
    UnavailableError,
    UnknownComponentError,
)
from plm_components.zoo import KINDS, Zoo
from plugin_dists import registering


def plugin_of(zoo, distribution):
    [found] = [one for one in zoo.plugins if one.provider.distribution == distribution]
    return found


def good(name):
    return registering(f"'projector', {name!r}, 'fractions:Fraction'")


def test_a_plugin_enters_by_its_entry_point(site):
    site.plugin("plm_good_one", good("good_one"), version="2.3")
    zoo = Zoo.discover()
    entry = zoo.get("projector", "good_one")
    assert str(entry.provider) == "plm-good-one 2.3"
    assert entry.qualified == "plm-good-one:good_one"
    found = plugin_of(zoo, "plm-good-one")
    assert (found.state, found.reason, found.entries) == ("loaded", None, (entry,))


def test_our_own_parts_enter_by_the_same_hook():
    zoo = Zoo.discover()
    assert {"timm", "hf"} <= {entry.name for entry in zoo.entries("vision_encoder")}
    assert {entry.provider.distribution for entry in zoo.entries()} >= {"plm-components"}


@pytest.mark.parametrize("name", CASES)
def test_what_becomes_of_a_plugin_that_misbehaves(site, name):
    case = CASES[name]
    # names around it in order, so that neither before nor after is lost
    site.plugin("plm_a_good", good("a_good"))
    case.install(site, name)
    site.plugin("plm_z_good", good("z_good"))
    zoo = Zoo.discover()
    assert zoo.get("projector", "a_good")
    assert zoo.get("projector", "z_good")
    found = plugin_of(zoo, f"plm-m-{name}".replace("_", "-"))
    assert found.state == case.state
    assert case.said in "; ".join([found.reason or "", *found.notes])
    assert tuple(entry.address for entry in found.entries) == case.parts
    assert found.provider.version == "1.0"


@pytest.mark.parametrize("name", QUARANTINED)
def test_quarantine_keeps_the_traceback_and_one_line(site, name):
    QUARANTINED[name].install(site, name)
    [found] = Zoo.discover().plugins
    assert found.traceback.startswith("Traceback")
    assert "\n" not in found.reason


def test_half_of_a_plugin_is_none(site):
    QUARANTINED["fails_half_way"].install(site, "fails_half_way")
    with pytest.raises(UnknownComponentError):
        Zoo.discover().get("projector", "half")


def test_all_of_them_at_once(site):
    install_all(site)
    zoo = Zoo.discover()
    assert {one.provider.distribution: one.state for one in zoo.plugins} == {
        "plm-a-good": "loaded",
        "plm-z-good": "loaded",
        **{f"plm-m-{name}".replace("_", "-"): case.state for name, case in CASES.items()},
    }
    assert zoo.get("projector", "a_good").load().__name__ == "Fraction"


def test_what_a_plugin_prints_is_no_output_of_ours(site, capfd):
    CASES["prints"].install(site, "prints")
    Zoo.discover()
    captured = capfd.readouterr()
    assert "printed" not in captured.out
    assert "written" not in captured.out
    assert "printed at import\nwritten at import" in captured.err
    assert "printed in the hook" in captured.err


def test_an_unknown_name_says_which_plugin_may_have_had_it(site, monkeypatch):
    site.plugin("plm_broken_here", "raise OSError('no')")
    site.plugin("plm_kept_out", good("zzz"))
    monkeypatch.setenv("PLM_PLUGINS", "-plm-kept-out")
    with pytest.raises(UnknownComponentError) as error:
        Zoo.discover().get("projector", "zzz")
    aside = error.value.fix.partition("(")[2].removesuffix("; see plm plugins doctor)")
    assert set(aside.removeprefix("not loaded, may have had it: ").split("; ")) == {
        "plm-broken-here 1.0, quarantined",
        "plm-kept-out 1.0, blocked",
    }


def test_of_many_plugins_put_aside_a_few_are_named(site, monkeypatch):
    for number in range(8):
        site.plugin(f"plm_gone_{number}", good("gone"))
    monkeypatch.setenv("PLM_PLUGINS", "")
    with pytest.raises(UnknownComponentError) as error:
        Zoo.discover().get("projector", "gone")
    assert error.value.fix.count("blocked") == 5
    assert error.value.fix.endswith("; …; see plm plugins doctor)")


def test_two_distributions_of_one_name_are_told_at_look_up(site):
    site.plugin("plm_twin_one", good("twin"))
    site.plugin("plm_twin_two", good("twin"), version="0.2")
    zoo = Zoo.discover()
    assert zoo.get("projector", "plm-twin-two:twin").provider.distribution == "plm-twin-two"
    with pytest.raises(DuplicateComponentError) as error:
        zoo.get("projector", "twin")
    assert str(error.value) == (
        "projector/twin is registered more than once: by plm-twin-one 1.0 and plm-twin-two 0.2.\n"
        "  where:    projector/twin\n"
        "  expected: one provider of a name\n"
        "  fix:      choose one by its distribution: "
        "type: plm-twin-one:twin or type: plm-twin-two:twin"
    )
    [same] = zoo.clashes()
    assert [zoo.spelling(entry) for entry in same] == ["plm-twin-one:twin", "plm-twin-two:twin"]


def test_two_distributions_may_name_their_entry_points_alike(site):
    site.module("plm_alike_one", good("one"))
    site.module("plm_alike_two", good("two"))
    site.distribution("plm-alike-one", {"pool": "plm_alike_one"})
    site.distribution("plm-alike-two", {"pool": "plm_alike_two"})
    zoo = Zoo.discover()
    assert [plugin.name for plugin in zoo.plugins] == ["pool", "pool"]
    assert zoo.get("projector", "one").provider.distribution == "plm-alike-one"
    assert zoo.get("projector", "two").provider.distribution == "plm-alike-two"


def test_two_distributions_with_one_module_are_not_taken_for_one_another(site):
    site.module("plm_renamed", good("renamed"))
    site.distribution("plm-old-name", {"renamed": "plm_renamed"})
    site.distribution("plm-new-name", {"renamed": "plm_renamed"})
    zoo = Zoo.discover()
    kept, behind = plugin_of(zoo, "plm-new-name"), plugin_of(zoo, "plm-old-name")
    assert (kept.state, behind.state) == ("loaded", "shadowed")
    assert behind.reason == "its plm_renamed is already that of plm-new-name 1.0"
    assert zoo.get("projector", "renamed").provider == kept.provider


def test_discovering_twice_gives_the_same(site):
    site.plugin("plm_good_twice", good("twice"))
    first, second = Zoo.discover(), Zoo.discover()
    assert first.entries() == second.entries()
    assert first.plugins == second.plugins


def test_what_was_installed_meanwhile_is_seen(site):
    site.plugin("plm_waits", registering("'projector', 'waits', 'a:B', requires=('plm-late',)"))
    assert Zoo.discover().get("projector", "waits").status == "unavailable"
    site.distribution("plm-late", None)
    assert Zoo.discover().get("projector", "waits").status == "available"


@pytest.mark.parametrize(
    ("here", "age", "update"), [(2, "older", "plm-old"), (1, "newer", "plm-components")]
)
def test_another_contract_is_a_state_and_says_who_is_behind(site, monkeypatch, here, age, update):
    monkeypatch.setitem(KINDS, "projector", replace(KINDS["projector"], contract=here))
    spoken = 3 - here
    site.plugin(
        "plm_old", registering(f"'projector', 'p', 'fractions:Fraction', contract={spoken}")
    )
    zoo = Zoo.discover()
    found = plugin_of(zoo, "plm-old")
    reason = f"speaks contract {spoken} of projector, {age} than the {here} spoken here"
    assert (found.state, found.reason) == ("incompatible", reason)
    with pytest.raises(UnavailableError) as error:
        zoo.get("projector", "p").load()
    assert str(error.value) == (
        f"projector/p is incompatible: it {reason}.\n"
        "  where:    projector/p, from plm-old 1.0\n"
        f"  expected: contract {here}\n"
        f"  fix:      update {update}, or choose another projector (plm list projector)"
    )


def test_a_plugin_is_loaded_while_one_part_can_be_used(site):
    site.plugin(
        "plm_mixed",
        registering(FINE, "'projector', 'newer', 'fractions:Fraction', contract=9"),
    )
    zoo = Zoo.discover()
    assert plugin_of(zoo, "plm-mixed").state == "loaded"
    assert zoo.get("projector", "newer").status == "incompatible"


def test_strict_raises_what_would_be_put_aside(site, monkeypatch):
    site.plugin("plm_m_exits", "raise SystemExit(7)")
    monkeypatch.setenv("PLM_STRICT_PLUGINS", "1")
    with pytest.raises(PluginError) as error:
        Zoo.discover()
    assert isinstance(error.value.__cause__, SystemExit)
    assert str(error.value) == (
        "The plugin plm-m-exits of plm-m-exits 1.0 fails: SystemExit: 7.\n"
        f"  where:    {site.folder / 'plm_m_exits-1.0.dist-info'}\n"
        "  expected: a plugin that can be used: PLM_STRICT_PLUGINS is set\n"
        "  fix:      mend it, or unset PLM_STRICT_PLUGINS to have it put aside"
    )


@pytest.mark.parametrize("off", ["", "0"])
def test_strict_can_be_said_to_be_off(site, monkeypatch, off):
    site.plugin("plm_m_exits", "raise SystemExit(7)")
    monkeypatch.setenv("PLM_STRICT_PLUGINS", off)
    assert [one.state for one in Zoo.discover().plugins] == ["quarantined"]


def test_strict_lets_in_what_works(site, monkeypatch):
    site.plugin("plm_good_strict", good("good"))
    monkeypatch.setenv("PLM_STRICT_PLUGINS", "1")
    assert Zoo.discover().get("projector", "good")
