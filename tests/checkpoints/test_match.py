"""Strictness: names and shapes are exact, one error tells all."""

import pytest

from plm_components.checkpoints import match_exactly
from plm_components.errors import CheckpointError

MODEL = {"a": (2, 3), "b": (4,), "c": ()}


def test_an_exact_match_gives_the_names_in_the_models_order() -> None:
    stored = dict(reversed(MODEL.items()))
    assert match_exactly(stored, MODEL, where="f", fix="x") == ("a", "b", "c")


def test_what_may_be_absent_may_be_absent_and_nothing_else() -> None:
    stored = {"a": (2, 3), "b": (4,)}
    assert match_exactly(stored, MODEL, may_be_absent={"c"}, where="f", fix="x") == ("a", "b")
    with pytest.raises(CheckpointError):
        match_exactly(stored, MODEL, may_be_absent={"b"}, where="f", fix="x")


def test_another_name_of_a_tied_tensor_is_not_unexpected() -> None:
    assert match_exactly({**MODEL, "tied": (2, 3)}, MODEL, ignored={"tied"}, where="f", fix="x")


def test_all_faults_in_one_error() -> None:
    stored = {"a": (3, 2), "c": (1,), **{f"x{i}": (1,) for i in range(6)}}
    with pytest.raises(CheckpointError) as caught:
        match_exactly(stored, MODEL, where="runs/a/model.safetensors", fix="use its own spec")
    assert str(caught.value) == (
        "The weights do not fit the spec "
        "(tensors missing: 1, unexpected: 6, of another shape: 2).\n"
        "  where:    runs/a/model.safetensors\n"
        "  expected: 3 tensors; with b; without x0, x1, x2 and 3 more; a 2x3, not 3x2, "
        "c scalar, not 1\n"
        "  fix:      use its own spec"
    )
