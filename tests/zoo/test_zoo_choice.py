"""``PLM_PLUGINS`` lets in, keeps out before an import, and is read exactly."""

import sys

import pytest

from plm_components.zoo import Zoo
from plm_components.zoo.registry import default_zoo
from plugin_dists import registering


@pytest.fixture
def three(site):
    """One that marks its import; names of distribution and entry point differ in the third."""
    for name in ("foo", "quark"):
        site.plugin(f"plm_{name}", registering(f"'projector', '{name}', 'a:B'"))
    site.module("plm_third_module", registering("'projector', 'third', 'a:B'"))
    site.distribution("plm-third", {"gated_pool": "plm_third_module"}, "0.3")
    return site


def loaded(zoo):
    return {one.provider.distribution for one in zoo.plugins if one.state == "loaded"}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (None, {"plm-foo", "plm-quark", "plm-third"}),
        ("", set()),
        (" , ", set()),
        ("plm-foo", {"plm-foo"}),
        ("PLM_Foo", {"plm-foo"}),
        (" plm-foo , gated_pool,", {"plm-foo", "plm-third"}),
        ("plm-third", {"plm-third"}),
        ("-plm-foo", {"plm-quark", "plm-third"}),
        ("-gated_pool,-plm-quark", {"plm-foo"}),
        ("plm-foo,plm-quark,-plm-quark", {"plm-foo"}),
    ],
)
def test_what_is_let_in(three, monkeypatch, text, names):
    if text is not None:
        monkeypatch.setenv("PLM_PLUGINS", text)
    zoo = Zoo.discover()
    assert loaded(zoo) == names
    assert zoo.complaints == []
    assert {entry.provider.distribution for entry in zoo.entries()} == names | {"plm-components"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("-plm-foo", "PLM_PLUGINS blocks it"),
        ("plm-quark", "PLM_PLUGINS does not name it"),
        ("", "PLM_PLUGINS is empty"),
    ],
)
def test_what_is_kept_out_is_never_imported(three, monkeypatch, text, reason):
    monkeypatch.setenv("PLM_PLUGINS", text)
    [foo] = [one for one in Zoo.discover().plugins if one.name == "plm-foo"]
    assert (foo.state, foo.reason) == ("blocked", reason)
    assert "plm_foo" not in sys.modules


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "plm-fo",
            "PLM_PLUGINS names 'plm-fo', and no installed plugin is called so: "
            "did you mean plm-foo?",
        ),
        (
            "-gated_pol",
            "PLM_PLUGINS names 'gated_pol', and no installed plugin is called so: "
            "did you mean gated_pool?",
        ),
        (
            "-zzz",
            "PLM_PLUGINS names 'zzz', and no installed plugin is called so: "
            "there are gated_pool, plm-foo, plm-quark, plm-third",
        ),
    ],
)
def test_a_name_nobody_has_is_told_with_the_nearest(three, monkeypatch, text, complaint):
    monkeypatch.setenv("PLM_PLUGINS", text)
    zoo = Zoo.discover()
    assert zoo.complaints == [complaint]
    assert zoo.copy().complaints == [complaint]
    # a name that is near is never taken for it
    assert "plm-foo" not in loaded(zoo) or text.startswith("-")


def test_the_zoo_nobody_chose_warns(three, monkeypatch):
    monkeypatch.setenv("PLM_PLUGINS", "plm-fo")
    default_zoo.cache_clear()
    try:
        with pytest.warns(UserWarning, match="did you mean plm-foo"):
            default_zoo()
    finally:
        default_zoo.cache_clear()
