"""Part files that no one published."""

from hashlib import sha256

import pytest

from plm_components.errors import PluginError
from plm_components.zoo import Zoo, add_file

SOURCE = '''
from plm_components import Component

class Pool:
    """Pools."""

def plm_register_components():
    yield Component("pooling", "mine", "{home}:Pool")
'''


@pytest.fixture
def part_file(tmp_path):
    file = tmp_path / "my_part.py"
    file.write_text(SOURCE.format(home="my_part"))
    return file


def test_a_file_becomes_a_provider_with_its_hash(part_file, monkeypatch):
    monkeypatch.chdir(part_file.parent)
    zoo = Zoo()
    [entry] = zoo.add_file("my_part.py")
    assert entry.provider.distribution == "./my_part.py"
    assert entry.provider.version == "unpublished"
    assert entry.provider.sha256 == sha256(part_file.read_bytes()).hexdigest()
    assert zoo.get("pooling", "./my_part.py:mine").load().__name__ == "Pool"


def test_a_target_may_say_its_own_module(part_file):
    part_file.write_text(
        SOURCE.format(home="my_part").replace('"my_part:Pool"', '__name__ + ":Pool"')
    )
    [entry] = add_file(part_file, zoo=Zoo())
    assert entry.load().__name__ == "Pool"


def test_a_decorated_hook_works_too(part_file):
    text = SOURCE.format(home="my_part").replace("import Component", "import Component, hookimpl")
    part_file.write_text(text.replace("def plm_reg", "@hookimpl\ndef plm_reg"))
    assert Zoo().add_file(part_file)[0].load().__name__ == "Pool"


def test_the_same_file_twice_is_one(part_file):
    zoo = Zoo()
    zoo.add_file(part_file)
    zoo.add_file(part_file)
    assert len(zoo.entries()) == 1
    assert zoo.get("pooling", "mine").load().__name__ == "Pool"


def test_two_files_of_one_name_do_not_share_a_module(part_file, tmp_path):
    other = tmp_path / "other" / "my_part.py"
    other.parent.mkdir()
    other.write_text(part_file.read_text().replace("mine", "theirs"))
    zoo = Zoo()
    zoo.add_file(part_file)
    zoo.add_file(other)
    first, second = (zoo.get("pooling", name).load() for name in ("mine", "theirs"))
    assert first is not second


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("def broken(:", "failed: SyntaxError"),
        ("raise SystemExit(2)", "failed: SystemExit: 2"),
        ("import no_such_module_at_all", "failed: ModuleNotFoundError"),
        ("def plm_register_components():\n    raise KeyError('x')", "failed: KeyError"),
        ("def plm_register_components():\n    return 3", "failed: TypeError"),
    ],
)
def test_a_file_that_fails_is_one_clear_error(tmp_path, source, why):
    file = tmp_path / "bad_part.py"
    file.write_text(source)
    with pytest.raises(PluginError, match=why):
        Zoo().add_file(file)


def test_a_file_without_a_hook_says_what_is_missing(tmp_path):
    file = tmp_path / "empty_part.py"
    file.write_text("x = 1\n")
    with pytest.raises(PluginError, match="has no hook plm_register_components"):
        Zoo().add_file(file)


def test_a_missing_file_is_one_clear_error(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PluginError) as error:
        Zoo().add_file("nowhere.py")
    assert str(error.value) == (
        "The part file ./nowhere.py cannot be read: "
        "[Errno 2] No such file or directory: 'nowhere.py'.\n"
        "  where:    nowhere.py\n"
        "  expected: a Python file\n"
        "  fix:      mend the file, or leave it out"
    )


def test_a_file_that_is_no_python(tmp_path):
    file = tmp_path / "part.txt"
    file.write_text("x = 1\n")
    with pytest.raises(PluginError, match="is no Python file"):
        Zoo().add_file(file)
