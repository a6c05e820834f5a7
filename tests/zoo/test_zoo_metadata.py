"""Metadata are whatever someone left on the path: stale copies, nonsense, nothing."""

import pytest

from plm_components.errors import PluginError
from plm_components.zoo import Zoo
from plugin_dists import registering

FINE = registering("'projector', 'fine', 'fractions:Fraction'")


@pytest.fixture
def behind(site, tmp_path, monkeypatch):
    """A plugin whose metadata stand behind the site, as those of an editable install may."""
    folder = tmp_path / "behind"
    site.module("plm_moved", registering("'projector', 'moved', 'fractions:Fraction'"))
    info = site.distribution("plm-moved", {"moved": "plm_moved"}, "2.0", folder)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.syspath_prepend(str(site.folder))
    return info


def test_stale_metadata_in_front_hide_a_plugin_and_are_named(site, behind):
    stale = site.distribution("plm-moved", None, "1.0", suffix="egg-info")
    zoo = Zoo.discover()
    [found] = zoo.plugins
    assert (found.name, found.state, found.place) == ("moved", "shadowed", str(behind))
    assert found.reason == f"version 1.0, with other plugins, stands in front of it: {stale}"
    assert zoo.entries() == Zoo.discover().entries()


def test_another_version_in_front_is_the_one_that_counts(site, behind):
    front = site.distribution("plm-moved", {"moved": "plm_moved"}, "1.0")
    zoo = Zoo.discover()
    assert {one.place: one.state for one in zoo.plugins} == {
        str(front): "loaded",
        str(behind): "shadowed",
    }
    assert str(zoo.get("projector", "moved").provider) == "plm-moved 1.0"
    [shadowed] = [one for one in zoo.plugins if one.state == "shadowed"]
    assert shadowed.reason == f"version 1.0 stands in front of it: {front}"


def test_the_same_twice_is_once(site, behind):
    # an editable install and its source folder, both on the path
    front = site.distribution("plm_moved", {"moved": "plm_moved"}, "2.0", suffix="egg-info")
    assert [(one.place, one.state) for one in Zoo.discover().plugins] == [(str(front), "loaded")]


def test_strict_raises_for_a_shadowed_plugin(site, behind, monkeypatch):
    stale = site.distribution("plm-moved", None, "1.0")
    monkeypatch.setenv("PLM_STRICT_PLUGINS", "1")
    with pytest.raises(PluginError) as error:
        Zoo.discover()
    assert error.value.what == (
        "The plugin moved of plm-moved 2.0 is shadowed: "
        f"version 1.0, with other plugins, stands in front of it: {stale}."
    )


def test_entry_points_that_are_nonsense(site):
    info = site.distribution("plm-odd-points", {"odd": "fractions"})
    (info / "entry_points.txt").write_text("[plm_components]\nno equals sign\n= = =\n")
    site.plugin("plm_z_fine", FINE)
    zoo = Zoo.discover()
    assert zoo.get("projector", "fine")
    states = {(str(one.provider), one.state) for one in zoo.plugins}
    assert ("plm-odd-points 1.0", "quarantined") in states


@pytest.mark.parametrize("value", ["", "no module", "a b:c d", ":", "fractions:Nope", "1+1"])
def test_an_entry_point_that_leads_nowhere(site, value):
    site.distribution("plm-odd-value", {"odd": value})
    site.plugin("plm_z_fine", FINE)
    zoo = Zoo.discover()
    assert zoo.get("projector", "fine")
    assert ("plm-odd-value", "quarantined") in {
        (one.provider.distribution, one.state) for one in zoo.plugins
    }


def test_entry_points_that_are_not_text(site):
    site.plugin("plm_z_fine", FINE)
    info = site.distribution("foreign", None)
    (info / "entry_points.txt").write_bytes(b"[console_scripts]\nf\xfcr = a:b\n")
    zoo = Zoo.discover()
    assert zoo.get("projector", "fine")
    [found] = [one for one in zoo.plugins if one.place == str(info)]
    assert found.state == "quarantined"
    assert found.reason.startswith("UnicodeDecodeError: ")


@pytest.mark.parametrize("metadata", [None, "Metadata-Version: 2.1\n", b"Name: \xff\n"])
def test_a_distribution_without_a_name_is_named_by_its_path(site, metadata):
    site.plugin("plm_z_fine", FINE)
    info = site.distribution("plm-nameless", {"nameless": "fractions"})
    (info / "METADATA").unlink()
    if metadata is not None:
        data = metadata if isinstance(metadata, bytes) else metadata.encode()
        (info / "METADATA").write_bytes(data)
    zoo = Zoo.discover()
    assert zoo.get("projector", "fine")
    [found] = [one for one in zoo.plugins if one.provider.distribution == str(info)]
    assert found.state == "quarantined"
    if not isinstance(metadata, bytes):
        assert found.reason.endswith("The distribution's metadata say no name.")
