"""Bases, overrides and references become one tree."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from plm_components.errors import SpecError
from plm_components.spec import load_spec, shipped_specs, spec_name

BASE = {
    "projector": {"type": "mlp", "pool": 2, "bias": False},
    "decoder": {"type": "llama", "dim": 8, "block": {"type": "a", "attention": "sdpa"}},
    "tokenizer": {"type": "words", "words": ["a", "b"]},
    "image_tiler": "tiles",
}


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_text(text)
        return file

    return write


def test_bare_text_is_a_type():
    assert load_spec({"video_reader": "pyav"}) == {"plm": 1, "video_reader": {"type": "pyav"}}
    assert load_spec({}, ["video_reader=pyav"])["video_reader"] == {"type": "pyav"}


def test_slots_stand_in_order_and_the_version_first():
    found = load_spec({"weights": None, "zzz": 1, "decoder": "a", "vision_encoder": "b"})
    assert list(found) == ["plm", "vision_encoder", "decoder", "weights", "zzz"]


@pytest.mark.parametrize(
    ("override", "slot", "expected"),
    [
        ("projector.pool=4", "projector", {"type": "mlp", "pool": 4, "bias": False}),
        ("projector.type=mlp", "projector", {"type": "mlp", "pool": 2, "bias": False}),
        ("projector=mlp", "projector", {"type": "mlp", "pool": 2, "bias": False}),
        ("projector.type=linear", "projector", {"type": "linear"}),
        ("projector=linear", "projector", {"type": "linear"}),
        ("projector={type: linear, x: 1}", "projector", {"type": "linear", "x": 1}),
        ("tokenizer.words=[c]", "tokenizer", {"type": "words", "words": ["c"]}),
        ("image_tiler=null", "image_tiler", None),
        ("image_tiler.max=3", "image_tiler", {"type": "tiles", "max": 3}),
        ("projector.scale=1e-5", "projector", {**BASE["projector"], "scale": 1e-5}),
        ("projector.scale='1'", "projector", {**BASE["projector"], "scale": "1"}),
        ("projector.note=a=b", "projector", {**BASE["projector"], "note": "a=b"}),
        ("projector.flag=yes", "projector", {**BASE["projector"], "flag": "yes"}),
    ],
)
def test_overrides(override, slot, expected):
    assert load_spec(BASE, [override])[slot] == expected


def test_overrides_of_nested_parts():
    block = load_spec(BASE, ["decoder.block.attention=eager", "decoder.block.heads=2"])["decoder"]
    assert block["block"] == {"type": "a", "attention": "eager", "heads": 2}
    nested = load_spec(BASE, ["decoder.block.attention.compiled=true"])["decoder"]["block"]
    assert nested["attention"] == {"type": "sdpa", "compiled": True}


@pytest.mark.parametrize("order", [1, -1])
def test_an_option_given_with_another_type_belongs_to_that_type(order):
    overrides = ["projector.type=linear", "projector.pool=4"][::order]
    assert load_spec(BASE, overrides)["projector"] == {"type": "linear", "pool": 4}


@pytest.mark.parametrize("typed", [{}, {"type": "usual"}])
@pytest.mark.parametrize("by", ["base", "override"])
def test_a_nested_part_of_another_type_keeps_no_option(write, typed, by):
    block = {**typed, "num_heads": 2, "ffn_dim": 8}
    base = {"decoder": {"type": "llama", "dim": 4, "block": block}}
    if by == "override":
        found = load_spec(base, ["decoder.block.norm_eps=1", "decoder.block.type=other"])
    else:
        write("base.yaml", OmegaConf.to_yaml(base))
        found = load_spec(
            write("top.yaml", "base: ./base.yaml\ndecoder: {block: {norm_eps: 1, type: other}}\n")
        )
    assert found["decoder"] == {
        "type": "llama",
        "dim": 4,
        "block": {"norm_eps": 1, "type": "other"},
    }


def test_a_later_override_wins():
    assert load_spec(BASE, ["projector.pool=3", "projector.pool=5"])["projector"]["pool"] == 5


@pytest.mark.parametrize("override", ["projector.pool", "=4", "projector..pool=4", "a.=1", "a="])
def test_what_is_no_override(override):
    with pytest.raises(SpecError) as error:
        load_spec(BASE, [override])
    assert str(error.value) == (
        f"{override!r} is no override.\n"
        f"  where:    override {override!r}\n"
        "  expected: path.to.option=value, such as projector.pool=4 or image_tiler=null\n"
        "  fix:      write the path, an equals sign and the value; empty text is ''"
    )


def test_all_bad_overrides_are_told_together():
    with pytest.raises(SpecError) as error:
        load_spec(BASE, ["a", "b=[", "base=plm-3b", "projector.pool=4"])
    assert len(error.value.faults) == 3


def test_the_source_is_not_changed():
    before = repr(BASE)
    load_spec(BASE, ["projector.pool=9", "decoder.block=b"])
    assert repr(BASE) == before


def test_bases_compose_from_files_relative_to_them(write):
    write(
        "deep/base.yaml", "projector: {type: mlp, pool: 2, bias: false}\ndecoder: {type: a, x: 1}\n"
    )
    write("deep/middle.yaml", "base: ./base.yaml\nprojector: {pool: 3}\n")
    top = write("top.yaml", "plm: 1\nbase: ./deep/middle.yaml\ndecoder: {type: b}\n")
    assert load_spec(top) == {
        "plm": 1,
        "projector": {"type": "mlp", "pool": 3, "bias": False},
        "decoder": {"type": "b"},
    }
    assert load_spec(str(top)) == load_spec(top)


def test_a_base_in_a_mapping_is_relative_to_here(write, monkeypatch, tmp_path):
    write("base.yaml", "projector: linear\n")
    monkeypatch.chdir(tmp_path)
    assert load_spec({"base": "./base.yaml"})["projector"] == {"type": "linear"}


def test_a_shipped_spec_is_a_base():
    found = load_spec({"base": "plm-1b", "projector": {"pool": 4}})
    assert found["projector"] == {"type": "avg_pool_mlp", "pool": 4}
    assert "base" not in found


def test_a_circle_is_told_as_a_chain(write):
    write("b.yaml", "base: ./c.yaml\n")
    first = write("a.yaml", "base: ./b.yaml\n")
    write("c.yaml", f"base: ../{first.parent.name}/b.yaml\n")
    again = f"../{first.parent.name}/b.yaml"
    with pytest.raises(SpecError) as error:
        load_spec(first)
    assert str(error.value) == (
        f"base: runs in a circle: {first} -> ./b.yaml -> ./c.yaml -> {again}.\n"
        "  where:    ./c.yaml: base\n"
        "  expected: at most 16 specs, each based on another\n"
        "  fix:      take base: out of one of them"
    )


def test_a_spec_based_on_itself(write):
    file = write("self.yaml", "base: ./self.yaml\n")
    with pytest.raises(SpecError, match="runs in a circle"):
        load_spec(file)


def test_an_endless_chain_is_refused(write):
    for i in range(30):
        write(f"s{i}.yaml", f"base: ./s{i + 1}.yaml\n")
    with pytest.raises(SpecError, match="goes too deep"):
        load_spec(write("top.yaml", "base: ./s0.yaml\n"))


@pytest.mark.parametrize(
    ("base", "what", "fix"),
    [
        ("plm-1c", "No spec is named 'plm-1c'.", "did you mean plm-"),
        ("other.yaml", "No spec is named 'other.yaml'.", ""),
        ("3", "base is 3.", "name one spec"),
        ("[a]", "base is ['a'].", "name one spec"),
        ("null", "base is None.", "name one spec"),
        ("./absent.yaml", "The spec cannot be read: no such file or directory.", "check the path"),
    ],
)
def test_a_base_that_is_none(write, base, what, fix):
    with pytest.raises(SpecError) as error:
        load_spec(write("top.yaml", f"base: {base}\n"))
    assert error.value.what == what
    assert error.value.fix.startswith(fix)


def test_a_bare_path_as_base_says_how_to_write_it(write):
    with pytest.raises(SpecError) as error:
        load_spec(write("top.yaml", "base: other.yaml\n"))
    assert "such as ./other.yaml" in error.value.expected


def test_an_unknown_name_lists_the_shipped_specs():
    with pytest.raises(SpecError) as error:
        load_spec("plm-8c")
    assert error.value.expected == f"one of: {', '.join(shipped_specs())}; or a path: ./plm-8c.yaml"
    assert "plm-8b" in error.value.fix


@pytest.mark.parametrize("version", ["2", "0", "'1'", "true", "1.0", "null"])
def test_another_format_is_refused(write, version):
    with pytest.raises(SpecError) as error:
        load_spec(write("top.yaml", f"plm: {version}\n"))
    assert error.value.expected == "plm: 1 (the default)"
    with pytest.raises(SpecError):
        load_spec({}, [f"plm={version}"])


def test_the_version_of_a_base_counts_too(write):
    write("base.yaml", "plm: 7\n")
    with pytest.raises(SpecError, match="format 7"):
        load_spec(write("top.yaml", "base: ./base.yaml\n"))


def test_omegaconf_configs_are_sources():
    config = OmegaConf.create({"decoder": {"type": "a", "dim": 8, "twice": "${decoder.dim}"}})
    assert load_spec(config)["decoder"] == {"type": "a", "dim": 8, "twice": 8}
    assert config.decoder.twice == 8


def test_python_values_become_plain():
    found = load_spec({"tokenizer": {"type": "a", "path": Path("x/y"), "pair": (1, 2)}})
    assert found["tokenizer"] == {"type": "a", "path": "x/y", "pair": [1, 2]}


@pytest.mark.parametrize("value", [object(), {1, 2}, b"x", float("nan"), float("inf"), {1: 2}, len])
def test_python_values_that_are_no_data(value):
    with pytest.raises(SpecError) as error:
        load_spec({"decoder": {"type": "a", "x": value}})
    assert error.value.where == "this mapping: decoder.x"


@pytest.mark.parametrize("source", [3, None, ["a"], b"plm-1b"])
def test_sources_that_are_none(source):
    with pytest.raises(SpecError):
        load_spec(source)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("plm-1b", "plm-1b"),
        ("./dir/mine.yaml", "mine"),
        (Path("dir/plm.yml"), "plm"),
        ({}, None),
    ],
)
def test_names(source, name):
    assert spec_name(source) == name
