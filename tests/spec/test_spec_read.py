"""YAML is read strictly, within bounds, and runs nothing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plm_components.errors import SpecError
from plm_components.spec import dump_yaml, load_spec
from plm_components.spec.read import MAX_BYTES, parse_yaml


def value(text):
    return parse_yaml(f"x: {text}", "test")["x"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4", 4),
        ("-4", -4),
        ("+4", 4),
        ("0", 0),
        ("!!float 1e5", 1e5),
        ("!!str 4", "4"),
        ("1e-5", 1e-5),
        ("1E5", 1e5),
        ("1.", 1.0),
        (".5", 0.5),
        ("-1.5e3", -1500.0),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        # YAML 1.1 would make booleans, seconds, octals, dates and infinities of these
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("off", "off"),
        ("12:30:00", "12:30:00"),
        ("190:20:30.15", "190:20:30.15"),
        ("010", "010"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("2025-01-02", "2025-01-02"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("=", "="),
        ("'4'", "4"),
        ('"true"', "true"),
        ("1e", "1e"),
        ("e5", "e5"),
        (".", "."),
        ("[1, a, null]", [1, "a", None]),
        ("{a: {b: 1}}", {"a": {"b": 1}}),
    ],
)
def test_scalars_are_what_they_look_like(text, expected):
    found = value(text)
    assert found == expected
    assert type(found) is type(expected)


def test_merge_keys_are_plain_text():
    assert parse_yaml("a: &a {x: 1}\nb: {<<: *a}", "test") == {"a": {"x": 1}, "b": {"<<": {"x": 1}}}


def test_anchors_are_copied():
    found = parse_yaml("a: &a [1]\nb: *a", "test")
    assert found == {"a": [1], "b": [1]}
    assert found["a"] is not found["b"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: 1\na: 2", "the key 'a' stands twice (line 2, column 1)"),
        ("1: x", "the key '1' is not text: quote it (line 1, column 1)"),
        ("true: x", "the key 'true' is not text: quote it (line 1, column 1)"),
        ("[a]: x", "is not text: quote it (line 1, column 1)"),
        ("a: !!python/object/apply:os.getcwd []", "is not allowed: a spec is data"),
        ("a: !!python/name:os.system", "is not allowed: a spec is data"),
        ("a: !!binary aGk=", "is not allowed: a spec is data"),
        ("a: !!timestamp 2020-01-01", "is not allowed: a spec is data"),
        ("a: !!set {x}", "is not allowed: a spec is data"),
        ("a: !mine 3", "the tag '!mine' is not allowed: a spec is data (line 1, column 4)"),
        ("a: !!int x", "'x' is no int (line 1, column 4)"),
        ("a: !!bool yes", "'yes' is no bool (line 1, column 4)"),
        ("a: !!float .nan", "'.nan' is no float"),
        ("a: !!seq abc", "this is no list (line 1, column 4)"),
        ("a: !!map ab", "this is no mapping (line 1, column 4)"),
        ("a: !!map [[x, y]]", "this is no mapping"),
        ("a: !!str [b]", "expected a scalar node, but found sequence"),
        ("a: [1, 2", "expected ',' or ']'"),
        ("a: b: c", "mapping values are not allowed here (line 1, column 5)"),
        ("a: *nowhere", "found undefined alias 'nowhere'"),
        ("a: 1\n---\nb: 2", "but found another document"),
        ("a: \x00", "special characters are not allowed"),
        ("a: " + "9" * 5000, "Exceeds the limit"),
        ("[" * 600, "it nests too deeply"),
    ],
)
def test_what_is_no_spec_is_one_clear_error(text, why):
    with pytest.raises(SpecError) as error:
        parse_yaml(text, "my.yaml")
    assert why in error.value.what
    assert error.value.where == "my.yaml"


@pytest.mark.parametrize(
    "text",
    [
        # nine nines of aliases, a node within itself, and a deep one
        "a0: &a0 [x, x]\n"
        + "\n".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)),
        "a: &a [*a]",
        "a: &a {b: *a}",
        "x: " + "[" * 40 + "]" * 40,
    ],
)
def test_bombs_are_refused(text):
    with pytest.raises(SpecError, match=r"too large|recursive"):
        parse_yaml(text, "bomb.yaml")


def test_a_python_tag_runs_nothing(tmp_path):
    target = tmp_path / "ran"
    file = tmp_path / "evil.yaml"
    file.write_text(f"projector: !!python/object/apply:pathlib.Path.touch ['{target}']\n")
    with pytest.raises(SpecError):
        load_spec(file)
    assert not target.exists()


def file_error(file):
    with pytest.raises(SpecError) as error:
        load_spec(str(file))
    return error.value


def test_files_that_are_no_spec(tmp_path):
    (tmp_path / "empty.yaml").write_text("")
    (tmp_path / "list.yaml").write_text("- a\n- b\n")
    (tmp_path / "latin.yaml").write_bytes("décodeur: 1".encode("latin-1"))
    (tmp_path / "large.yaml").write_text("#" * (MAX_BYTES + 1))
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "plm.yaml").write_text("plm: 1\n")
    told = {
        name: file_error(tmp_path / name).what
        for name in ("empty.yaml", "list.yaml", "latin.yaml", "large.yaml", "saved", "absent.yaml")
    }
    assert told == {
        "empty.yaml": "A spec is a mapping of slots, and this is nothing.",
        "list.yaml": "A spec is a mapping of slots, and this is a list.",
        "latin.yaml": "The spec cannot be read: it is not UTF-8 text (byte 1).",
        "large.yaml": "The spec cannot be read: it is over 1048576 bytes.",
        "saved": "The spec cannot be read: it is a directory.",
        "absent.yaml": "The spec cannot be read: no such file or directory.",
    }
    assert file_error(tmp_path / "saved").fix.endswith("did you mean the plm.yaml in it?")


def test_a_byte_order_mark_is_no_key(tmp_path):
    file = tmp_path / "bom.yaml"
    file.write_bytes(b"\xef\xbb\xbfplm: 1\n")
    assert load_spec(file) == {"plm": 1}


@pytest.mark.parametrize(
    "source", ["a\0b/c.yaml", "./" + "x" * 5000 + ".yaml", "./\ud800", "\ud800"]
)
def test_paths_that_cannot_be(source):
    with pytest.raises(SpecError):
        load_spec(source)


plain_text = st.text(st.characters(exclude_categories=("Cs",)), max_size=20).filter(
    lambda text: "${" not in text
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**12), 10**12),
    st.floats(allow_nan=False, allow_infinity=False),
    plain_text,
    st.sampled_from(
        ["yes", "no", "1e-5", "12:30", "0x1", "null", "~", "1.0", "-", "=", "<<", " a"]
    ),
)
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(plain_text, inner, max_size=3),
    max_leaves=12,
)


@settings(database=None, deadline=None, max_examples=80)
@given(st.dictionaries(plain_text, trees, max_size=4))
def test_what_is_written_is_read_back_equal(data):
    assert parse_yaml(dump_yaml(data), "round trip") == data


tagged = st.tuples(
    st.sampled_from(["str", "int", "float", "bool", "null", "seq", "map", "set", "omap", "binary"]),
    st.text("[]{}:, a1", max_size=8),
).map(lambda pair: f"x: !!{pair[0]} {pair[1]}")


def told_or_done(read):
    """True where a read gives data or one clear error; anything else passes through."""
    try:
        return read() is not Ellipsis
    except SpecError as error:
        return error.what in str(error)


@settings(database=None, deadline=None, max_examples=100)
@given(st.text(max_size=200) | st.text("{}[]&*!|>:-#'\"%@`,?\n a1<=$.", max_size=60) | tagged)
def test_any_text_is_data_or_a_spec_error(text):
    assert told_or_done(lambda: parse_yaml(text, "fuzz"))


@settings(database=None, deadline=None, max_examples=100)
@given(data=st.binary(max_size=200))
def test_any_file_is_a_spec_or_a_spec_error(tmp_path_factory, data):
    file = tmp_path_factory.mktemp("fuzz") / "fuzz.yaml"
    file.write_bytes(data)
    assert told_or_done(lambda: load_spec(file))


@settings(database=None, deadline=None, max_examples=100)
@given(st.text(max_size=30) | st.text("${}.=[]ax:0", max_size=12))
def test_any_source_and_any_override_is_a_spec_or_a_spec_error(text):
    assert told_or_done(lambda: load_spec(text))
    assert told_or_done(lambda: load_spec({}, [text]))
    assert told_or_done(lambda: load_spec({"x": text, "y": [text]}))
