"""Plugins are found by entry point; one that fails is quarantined and takes no one with it."""

import textwrap

import pytest

from plm_components.errors import UnknownComponentError
from plm_components.zoo import Zoo

GOOD = """
    from plm_components.zoo import Component, hookimpl

    @hookimpl
    def plm_register_components():
        yield Component("projector", "{name}", "fractions:Fraction", summary="good")
"""

BAD = {
    "import_error": ("import no_such_module_at_all", "ModuleNotFoundError"),
    "syntax_error": ("def broken(:", "SyntaxError"),
    "exits": ("raise SystemExit(1)", "SystemExit"),
    "wrong_signature": (
        """
        from plm_components.zoo import hookimpl

        @hookimpl
        def plm_register_components(zoo):
            return []
        """,
        "PluginValidationError",
    ),
    "unknown_hook": (
        """
        from plm_components.zoo import hookimpl

        @hookimpl
        def plm_register_component():
            return []
        """,
        "PluginValidationError",
    ),
    "no_hook": ("x = 1", "PluginError"),
    "undecorated": ("def plm_register_components():\n    return []\n", "PluginError"),
    "nonsense": (
        """
        from plm_components.zoo import hookimpl

        @hookimpl
        def plm_register_components():
            return [42]
        """,
        "PluginError",
    ),
    "number": (
        """
        from plm_components.zoo import hookimpl

        @hookimpl
        def plm_register_components():
            return 42
        """,
        "TypeError",
    ),
    "fails_half_way": (
        """
        from plm_components.zoo import Component, hookimpl

        @hookimpl
        def plm_register_components():
            yield Component("projector", "half", "fractions:Fraction")
            raise RuntimeError("half way")
        """,
        "RuntimeError",
    ),
    "bad_kind": (
        """
        from plm_components.zoo import Component, hookimpl

        @hookimpl
        def plm_register_components():
            yield Component("projectr", "x", "fractions:Fraction")
        """,
        "ContractError",
    ),
}


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Writes a distribution with one entry point onto the path."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(module, source, version="1.0", points=None):
        (tmp_path / f"{module}.py").write_text(textwrap.dedent(source))
        name = module.replace("_", "-")
        info = tmp_path / f"{module}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(
            f"[plm_components]\n{points or f'{name} = {module}'}\n"
        )

    return write


def test_a_plugin_enters_by_its_entry_point(install):
    install("plm_good_one", GOOD.format(name="good_one"), version="2.3")
    entry = Zoo.discover().get("projector", "good_one")
    assert str(entry.provider) == "plm-good-one 2.3"
    assert entry.qualified == "plm-good-one:good_one"


def test_our_own_parts_enter_by_the_same_hook():
    zoo = Zoo.discover()
    assert {"timm", "hf"} <= {entry.name for entry in zoo.entries("vision_encoder")}
    assert {entry.provider.distribution for entry in zoo.entries()} >= {"plm-components"}


@pytest.mark.parametrize("case", BAD)
def test_a_failing_plugin_is_quarantined_alone(install, case):
    source, error = BAD[case]
    # names around it in order, so that neither before nor after is lost
    install("plm_a_good", GOOD.format(name="a_good"))
    install(f"plm_m_{case}", source)
    install("plm_z_good", GOOD.format(name="z_good"))
    zoo = Zoo.discover()
    assert zoo.get("projector", "a_good")
    assert zoo.get("projector", "z_good")
    [problem] = [
        problem for problem in zoo.problems if problem.plugin == f"plm-m-{case}".replace("_", "-")
    ]
    assert error in problem.error
    assert "\n" not in problem.error
    assert "Traceback" in problem.traceback
    assert problem.provider.version == "1.0"
    with pytest.raises(UnknownComponentError):
        zoo.get("projector", "half")


def test_an_unknown_name_says_which_plugin_may_have_had_it(install):
    install("plm_broken_here", "raise OSError('no')")
    with pytest.raises(UnknownComponentError) as error:
        Zoo.discover().get("projector", "zzz")
    assert "not loaded, may have had it: plm-broken-here 1.0" in error.value.fix


def test_two_distributions_of_one_name_are_told_at_look_up(install):
    install("plm_twin_one", GOOD.format(name="twin"))
    install("plm_twin_two", GOOD.format(name="twin"))
    zoo = Zoo.discover()
    assert zoo.get("projector", "plm-twin-two:twin").provider.distribution == "plm-twin-two"
    with pytest.raises(Exception, match="registered more than once") as error:
        zoo.get("projector", "twin")
    assert "plm-twin-one 1.0" in str(error.value)
    assert "plm-twin-two 1.0" in str(error.value)


def test_discovering_twice_gives_the_same(install):
    install("plm_good_twice", GOOD.format(name="twice"))
    first, second = Zoo.discover(), Zoo.discover()
    assert first.entries() == second.entries()


def test_metadata_that_is_nonsense_takes_no_one_with_it(install):
    install("plm_odd_points", GOOD.format(name="odd"), points="no equals sign\n= = =")
    install("plm_z_fine", GOOD.format(name="z_fine"))
    zoo = Zoo.discover()
    assert zoo.get("projector", "z_fine")
    assert {str(problem.provider) for problem in zoo.problems} >= {"plm-odd-points 1.0"}


def test_a_stale_copy_behind_another_is_not_asked(install, tmp_path, monkeypatch):
    install("plm_moved", GOOD.format(name="stale"))
    newer = tmp_path / "newer"
    info = newer / "plm_moved-2.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plm-moved\nVersion: 2.0\n")
    monkeypatch.syspath_prepend(str(newer))
    with pytest.raises(UnknownComponentError):
        Zoo.discover().get("projector", "stale")


def test_entry_points_that_are_not_text_take_no_one_with_them(install, tmp_path):
    install("plm_z_whole", GOOD.format(name="z_whole"))
    info = tmp_path / "foreign-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: foreign\nVersion: 1.0\n")
    (info / "entry_points.txt").write_bytes(b"[console_scripts]\nf\xfcr = a:b\n")
    zoo = Zoo.discover()
    assert zoo.get("projector", "z_whole")
    [problem] = [one for one in zoo.problems if one.provider.distribution == str(info)]
    assert problem.error.startswith("UnicodeDecodeError: ")


@pytest.mark.parametrize("metadata", [None, "Metadata-Version: 2.1\n", b"Name: \xff\n"])
def test_a_distribution_without_a_name_is_named_by_its_path(install, tmp_path, metadata):
    install("plm_z_named", GOOD.format(name="z_named"))
    install("plm_nameless", GOOD.format(name="nameless"))
    info = tmp_path / "plm_nameless-1.0.dist-info"
    (info / "METADATA").unlink()
    if metadata is not None:
        data = metadata if isinstance(metadata, bytes) else metadata.encode()
        (info / "METADATA").write_bytes(data)
    zoo = Zoo.discover()
    assert zoo.get("projector", "z_named")
    [problem] = [one for one in zoo.problems if one.provider.distribution == str(info)]
    if not isinstance(metadata, bytes):
        assert problem.error.endswith("The distribution's metadata say no name.")
