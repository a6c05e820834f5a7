"""What ``weights:`` may say."""

from pathlib import Path

import pytest
import torch

from plm_components.checkpoints import Origin, open_origin, parse_origin, write_tensors
from plm_components.errors import CheckpointError, SpecError

READABLE = (
    "package:<name> (weights inside this package), plm:<directory> (saved by Variant.save), "
    "hf:<directory or hub id> or original:<directory> (a PerceptionLM as published)"
)


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("plm:runs/a", Origin("plm", "runs/a")),
        ("plm:C:/runs", Origin("plm", "C:/runs")),
        ("package:plm-tiny", Origin("package", "plm-tiny")),
        ("hf:facebook/Perception-LM-1B", Origin("hf", "facebook/Perception-LM-1B")),
        ("original:runs/plm", Origin("original", "runs/plm")),
    ],
)
def test_readable_origins(text: str, origin: Origin) -> None:
    assert parse_origin(text, where="weights") == origin
    assert str(origin) == text


@pytest.mark.parametrize("text", ["runs/a", "", "plm:", "PLM:runs/a", "s3://bucket", "hf"])
def test_nothing_is_guessed_from_a_path(text: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_origin(text, where="projector.weights")
    assert str(caught.value) == (
        f"{text!r} names no weights.\n"
        "  where:    projector.weights\n"
        f"  expected: {READABLE}\n"
        "  fix:      say the kind first: plm:, hf: or original: before a directory, package: "
        "before a name"
    )


def test_a_relative_directory_starts_where_the_spec_stands(tmp_path: Path) -> None:
    write_tensors({"a": torch.ones(2)}, tmp_path)
    assert open_origin(Origin("plm", "."), relative_to=tmp_path).shapes == {"a": (2,)}


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        open_origin(Origin("plm", "nowhere"), relative_to=tmp_path)
    assert str(caught.value) == (
        "There is no such directory of weights.\n"
        f"  where:    {tmp_path / 'nowhere'}\n"
        "  expected: a directory that Variant.save wrote\n"
        "  fix:      check the path in weights: plm:<directory>"
    )


@pytest.mark.parametrize("name", ["nothing", "../specs", "."])
def test_weights_that_do_not_ship(name: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        open_origin(Origin("package", name))
    assert caught.value.what == f"No weights {name!r} ship with this package."
