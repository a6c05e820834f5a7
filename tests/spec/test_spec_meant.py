"""A plugin whose parts have the names of ours breaks nobody: a name means its author's."""

from __future__ import annotations

from pathlib import Path

import pytest

import plm_components as plm
from plm_components.assembly.examination import all_parts
from plm_components.errors import SpecError
from plm_components.spec import SpecTree, load_spec, resolve, shipped_specs
from plm_components.testing import conformance
from plm_components.zoo import Zoo
from plm_components.zoo.component import OURS
from plugin_dists import registering

_SPECS = """
from pathlib import Path

@hookimpl
def plm_register_specs():
    yield Path(__file__).parent / "tiny-rival.yaml"
    yield Path(__file__).parent / "plm-base.yaml"
"""
_RIVAL = "base: plm-tiny\nprojector: rival\n"


@pytest.fixture
def rival(site) -> Zoo:
    """A zoo with a plugin that has a part of every name that we have, and specs."""
    names = [(entry.kind, entry.name) for entry in Zoo.discover().entries()]
    parts = [f"{kind!r}, {name!r}, 'fractions:Fraction'" for kind, name in names]
    mine = "'projector', 'rival', 'plm_components.projectors.linear:LinearProjector'"
    (site.folder / "tiny-rival.yaml").write_text(_RIVAL)
    (site.folder / "plm-base.yaml").write_text("projector: rival\n")
    site.plugin("plm_rival", registering(mine, *parts) + _SPECS)
    return Zoo.discover()


def _providers(tree: SpecTree) -> set[str]:
    return {part.entry.provider.distribution for part in all_parts(tree)}


@pytest.mark.parametrize("name", shipped_specs())
def test_what_we_ship_means_our_parts(rival: Zoo, name: str) -> None:
    # one of the plugin's specs is called like one of ours
    tree = resolve(load_spec(f"{OURS}:{name}", zoo=rival), rival)
    assert _providers(tree) == {OURS}


def test_a_user_who_names_a_part_of_two_is_asked_which(rival: Zoo) -> None:
    with pytest.raises(SpecError) as caught:
        resolve(load_spec("plm-tiny", ["projector.type=linear"], zoo=rival), rival)
    assert "projector/linear is registered more than once" in str(caught.value)
    assert "type: plm-components:linear or type: plm-rival:linear" in str(caught.value)
    chosen = load_spec("plm-tiny", ["projector.type=plm-components:linear"], zoo=rival)
    assert _providers(resolve(chosen, rival)) == {OURS}
    with pytest.raises(SpecError, match="decoder_block/prenorm_gqa_swiglu is registered more"):
        resolve({"base": "plm-tiny", "decoder": {"block": "prenorm_gqa_swiglu"}}, rival)


def test_a_users_options_are_laid_over_what_is_meant(rival: Zoo) -> None:
    tree = resolve(load_spec("plm-tiny", ["projector.pool=4"], zoo=rival), rival)
    assert tree.parts["projector"].options["pool"] == 4
    assert _providers(tree) == {OURS}
    # and written down, it says which
    assert tree.data["projector"]["type"] == "plm-components:avg_pool_mlp"
    assert tree.data["decoder"]["block"]["attention"]["type"].startswith("plm-components:")
    assert _providers(resolve(tree.data, rival)) == {OURS}


def test_a_plugins_spec_means_its_own_part_or_else_ours(site, rival: Zoo) -> None:
    tree = resolve(load_spec("tiny-rival", zoo=rival), rival)
    assert tree.parts["projector"].entry.provider.distribution == "plm-rival"
    assert _providers(tree) == {OURS, "plm-rival"}
    assert tree.parts["decoder"].entry.provider.distribution == OURS


def test_a_base_is_its_authors_too(rival: Zoo) -> None:
    assert load_spec(f"{OURS}:plm-1b", zoo=rival)["decoder"]["type"] == "plm-components:llama"
    with pytest.raises(plm.PlmError, match="The spec plm-base is shipped more than once"):
        load_spec({"base": "plm-base"}, zoo=rival)


def test_what_was_saved_before_is_what_is_loaded_after(tmp_path: Path, site) -> None:
    before = plm.assemble("plm-tiny")
    before.save(tmp_path / "own")
    before.export(tmp_path / "published", format="hf")
    site.plugin("plm_late", registering("'projector', 'avg_pool_mlp', 'fractions:Fraction'"))
    zoo = Zoo.discover()
    for saved in ("own", "published"):
        variant = plm.load(tmp_path / saved, zoo=zoo)
        assert {part.distribution for part in variant.lock.parts} == {OURS}
        told = plm.licenses(tmp_path / saved, zoo=zoo)
        assert len(told.parts) == len(variant.lock.parts)


def test_examples_of_ours_stay_examples(rival: Zoo) -> None:
    ours = rival.get("decoder_block", f"{OURS}:prenorm_gqa_swiglu")
    results = conformance(ours, zoo=rival, only="builds")
    assert {result.outcome for result in results} == {"passed"}
