"""``plm plugins new`` and ``validate``: what they write, say and refuse; nothing is built."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from plm_components.scaffold import Names, distribution, new_distribution
from plm_components.testing import validate
from plm_components.zoo import KINDS, Zoo

_BROKEN = '''
from plm_components.projectors.linear import LinearProjector
from plm_components.zoo import Component


class Mine(LinearProjector):
    """(B, N, C) -> (B, N, D)."""

    def num_tokens(self, grid):
        return 7


def plm_register_components():
    yield Component("projector", "mine", "my_part:Mine")
'''


def test_it_writes_a_folder_and_says_what_is_in_it(plm, tmp_path: Path) -> None:
    outcome = plm(
        "plugins", "new", "plm-gated-pool", "--kind", "projector", "--into", str(tmp_path), "--json"
    )
    assert outcome.code == 0
    written = {Path(file).relative_to(tmp_path) for file in json.loads(outcome.out)["files"]}
    found = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    assert written == found
    assert Path("plm-gated-pool/src/plm_gated_pool/gated_pool.py") in found
    assert Path("plm-gated-pool/.github/workflows/test.yml") in found
    text = "".join((tmp_path / path).read_text() for path in found)
    assert [word for word in distribution._placeholders(_names(), summary="") if word in text] == []
    assert "class GatedPoolProjector(nn.Module):" in text


def _names() -> Names:
    return Names("plm-gated-pool", "projector")


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("Plm-Pool", "projector", "'Plm-Pool' cannot be the name"),
        ("plm_pool", "projector", "'plm_pool' cannot be the name"),
        ("../pool", "projector", "'../pool' cannot be the name"),
        ("plm-class", "projector", "'plm-class' cannot be the name"),
        ("plm-" + "a" * 41, "projector", f"{'a' * 41!r} is too long for the name of a part"),
        ("plm-3d", "projector", "'plm-3d' cannot be the name"),
        ("plm-linear", "projector", "projector/linear is already that of plm-components"),
        ("json", "projector", "A module json can be imported already"),
        ("tests", "projector", "A module tests can be imported already"),
        ("pytest", "projector", "A distribution pytest is installed already"),
    ],
)
def test_a_name_that_cannot_be_is_refused(
    plm, tmp_path: Path, name: str, kind: str, said: str
) -> None:
    outcome = plm("plugins", "new", name, "--kind", kind, "--into", str(tmp_path))
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(said)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("length", [3, 10, 16, 22, 28, 34, 40])
def test_what_it_writes_is_formatted_however_long_the_name(tmp_path: Path, length: int) -> None:
    for number, kind in enumerate(KINDS):
        part = "a-pool-of-very-many-words-that-goes-on-and-on"[: length - 2] + f"x{number:x}"
        new_distribution(f"plm-{part}", kind, into=tmp_path, zoo=Zoo())
    for action in (["check"], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *action, "--no-cache", str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_a_folder_that_exists_is_left_alone(plm, tmp_path: Path) -> None:
    (tmp_path / "plm-pool").mkdir()
    outcome = plm("plugins", "new", "plm-pool", "--kind", "projector", "--into", str(tmp_path))
    assert outcome.code == 2
    assert outcome.err == (
        f"{tmp_path}/plm-pool exists already.\n"
        "  where:    plm plugins new\n"
        "  expected: a place where nothing is yet\n"
        "  fix:      choose another name or --into FOLDER, or take it away\n"
    )
    assert list((tmp_path / "plm-pool").iterdir()) == []


def test_a_kind_that_is_none_is_refused_with_the_nearest(plm) -> None:
    outcome = plm("plugins", "new", "plm-pool", "--kind", "projectr")
    assert outcome.code == 2
    assert "did you mean projector?" in outcome.err


def test_what_fails_halfway_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, written = Path.write_text, []

    def failing(self: Path, *args, **kwargs) -> int:
        written.append(self)
        if len(written) == 4:
            raise OSError(28, "No space left on device")
        return write(self, *args, **kwargs)

    monkeypatch.setattr(Path, "write_text", failing)
    with pytest.raises(OSError, match="No space"):
        new_distribution("plm-pool", "projector", into=tmp_path, zoo=Zoo())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("part", "kind", "name"),
    [
        ("plm-my-attention", "attention", "MyAttention"),
        ("plm-attention", "attention", "AttentionAttention"),
        ("grid", "projector", "GridProjector"),
    ],
)
def test_a_class_is_called_by_its_kind(part: str, kind: str, name: str) -> None:
    assert Names(part, kind).class_name == name


def test_validate_says_what_is_broken(plm, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my_part.py").write_text(_BROKEN)
    outcome = plm("plugins", "validate", "./my_part.py")
    assert outcome.code == 1
    head, row, *rest = outcome.out.splitlines()
    assert head.split()[:4] == ["part", "state", "checked", "by"]
    assert row.split()[:4] == ["projector/mine", "wrong", "contract", "1"]
    assert "projector/mine breaks shape_law [defaults]: (B, h*w, in_dim)" in "\n".join(rest)
    assert "  grid 12x12: (2, 144, 64), promised (2, 7, 64)" in rest


def test_validate_as_one_document(plm) -> None:
    outcome = plm("plugins", "validate", "pooling/mean", "--json")
    told = json.loads(outcome.out)
    assert (outcome.code, told["ok"], told["name"]) == (0, True, "pooling/mean")
    [part] = told["parts"]
    assert (part["contract"], part["reason"]) == (1, None)
    assert {result["outcome"] for result in part["results"]} == {"passed"}
    assert validate("pooling/mean").ok


def test_validate_on_a_device_that_is_not_there(plm) -> None:
    outcome = plm("plugins", "validate", "pooling/mean", "--device", "meta")
    assert outcome.code == 2
    assert outcome.err.startswith("The checks cannot run on 'meta': ")


def test_validate_of_nothing(plm) -> None:
    outcome = plm("plugins", "validate", "plm-no-such")
    assert outcome.code == 1
    assert outcome.err.startswith("Nothing in the zoo is called 'plm-no-such'.")


def test_validate_of_a_plugin_that_was_put_aside(plm, site) -> None:
    site.plugin("plm_broken", "raise ImportError('no such thing')")
    outcome = plm("plugins", "validate", "plm-broken")
    assert outcome.code == 1
    assert outcome.err.startswith("plm-broken 1.0 is quarantined: ")
    assert plm("plugins", "validate").code == 2
