"""The licence of weights, from the front matter of the card beside them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from plm_components.checkpoints import license_of_weights

OTHER = "license: other\nlicense_name: fair-noncommercial-research-license\n"


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        ("---\nlicense: apache-2.0\nlanguage:\n- en\n- no\n---\n# A model\n", "apache-2.0"),
        ("\ufeff---\r\nlicense: mit\r\n---\r\n", "mit"),
        ("---\nlicense: [mit, apache-2.0]\n---\n", "mit, apache-2.0"),
        (f"---\n{OTHER}---\n", "fair-noncommercial-research-license"),
        ("---\nlicense: other\n---\n", "other"),
        ("---\nlicense: cc-by-nc-4.0\n---\nlicense: mit\n", "cc-by-nc-4.0"),
        ('---\nlicense: "a\\e[2Jb"\n---\n', "a\\x1b[2Jb"),
        # none of these states one, and nothing is guessed
        ("# A model\n\nlicense: mit\n", None),
        ("\n---\nlicense: mit\n---\n", None),
        ("---\nlicense: mit\n", None),
        ("---\nlicense:\n---\n", None),
        ("---\nlicense: 3\n---\n", None),
        ("---\nlicense: []\n---\n", None),
        ("---\nlicense: [mit, 3]\n---\n", None),
        ("---\nlicense: {name: mit}\n---\n", None),
        ("---\nlicense: mit\nlicense: apache-2.0\n---\n", None),
        ("---\nlicense: !!python/object:os.system mit\n---\n", None),
        ("---\n- license: mit\n---\n", None),
        (f"---\nlicense: mit\nnote: {'x' * 70_000}\n---\n", None),
        ("", None),
    ],
)
def test_what_a_card_states(tmp_path: Path, card: str, expected: str | None) -> None:
    (tmp_path / "README.md").write_text(card, encoding="utf-8", newline="")
    assert license_of_weights(str(tmp_path)) == expected


def test_what_is_no_card(tmp_path: Path) -> None:
    assert license_of_weights(str(tmp_path)) is None
    os.mkfifo(tmp_path / "README.md")
    assert license_of_weights(str(tmp_path)) is None
    assert license_of_weights(str(tmp_path / "weights.safetensors")) is None


def test_a_relative_directory_starts_where_it_is_said_to(tmp_path: Path) -> None:
    (tmp_path / "tower").mkdir()
    (tmp_path / "tower" / "README.md").write_text("---\nlicense: mit\n---\n")
    assert license_of_weights("./tower", relative_to=tmp_path) == "mit"


def test_a_hub_repository_is_asked_in_the_cache_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    assert license_of_weights("someone/model") is None
    home = tmp_path / "models--someone--model"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text("abc")
    (home / "snapshots" / "abc").mkdir(parents=True)
    (home / "snapshots" / "abc" / "README.md").write_text("---\nlicense: mit\n---\n")
    assert license_of_weights("someone/model") == "mit"
