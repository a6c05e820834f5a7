"""The kit as a function: what it returns, refuses and says."""

from __future__ import annotations

import planted_modules
import pytest
from torch import Tensor

from plm_components.contracts import Grid
from plm_components.errors import UnknownComponentError, UnsupportedError, UsageError
from plm_components.projectors.linear import LinearProjector
from plm_components.testing import Case, checks_for, conformance, trials
from plm_components.testing.selection import select
from plm_components.zoo import Component, Zoo, default_zoo
from plm_components.zoo.kinds import KINDS


def test_a_part_of_ours_passes_everything() -> None:
    results = conformance(default_zoo().get("projector", "linear"))
    assert [result.outcome for result in results] == ["passed"] * len(checks_for("projector"))


def test_a_failure_says_what_was_promised_and_what_was_seen() -> None:
    (result,) = conformance(planted_modules.MixesRows, kind="projector", only="rows_do_not_mix")
    first, second = str(result).split("\n")
    assert first == (
        "failed  rows_do_not_mix [defaults]: A row alone gives what it gives within a batch"
    )
    assert second.startswith("differs by ")
    assert second.endswith(" from each row alone")


def test_an_error_inside_a_part_is_a_failure_with_the_parts_own_lines() -> None:
    (result,) = conformance(
        planted_modules.LooksAtValues, kind="projector", only="counts_without_weights"
    )
    assert result.outcome == "failed"
    assert result.detail.startswith("raised RuntimeError: Tensor.item() cannot be called on meta")
    assert "planted_modules.py" in result.detail
    assert "tokens_BNC.abs().max().item()" in result.detail


def test_a_target_that_cannot_be_imported_fails_one_check() -> None:
    zoo = default_zoo().copy()
    entry = zoo.add(Component("projector", "lost", "no_such_package.here:Lost"))
    results = conformance(entry, zoo=zoo)
    assert [result.check for result in results if result.outcome == "failed"] == ["loads"]
    assert {result.detail for result in results[1:]} == {"it cannot be loaded: see loads"}


def test_an_option_without_a_default_asks_for_an_example() -> None:
    block = default_zoo().get("decoder_block", "prenorm_gqa_swiglu")
    (result,) = conformance(block, {"num_heads": 4, "num_kv_heads": 4}, only="builds")
    assert result.outcome == "failed"
    assert "decoder_block/prenorm_gqa_swiglu needs ffn_dim." in result.detail
    assert "needs an example in conformance.yaml" in result.detail


def test_a_missing_device_is_no_failure() -> None:
    zoo = default_zoo().copy()
    target = "plm_components.projectors.linear:LinearProjector"
    entry = zoo.add(Component("projector", "elsewhere", target, requires=("no-such-dist>=1",)))
    outcomes = {result.outcome for result in conformance(entry, zoo=zoo)}
    assert outcomes == {"skipped"}


class RunsElsewhere(LinearProjector):
    """A fused kernel's part: (B, h*w, C) -> (B, M, D), on CUDA only."""

    def forward(self, tokens_BNC: Tensor, grid: Grid) -> Tensor:
        raise UnsupportedError("No cpu.", where="here", expected="cuda", fix="move it")


@pytest.mark.parametrize(("requires", "outcome"), [(("cuda",), "skipped"), ((), "failed")])
def test_a_part_for_another_device_is_not_blamed_for_refusing_the_cpu(
    monkeypatch: pytest.MonkeyPatch, requires: tuple[str, ...], outcome: str
) -> None:
    # as on a machine that has the device
    monkeypatch.setattr("plm_components.zoo.entry.missing_device", lambda requires: None)
    zoo = default_zoo().copy()
    target = f"{__name__}:RunsElsewhere"
    entry = zoo.add(Component("projector", "elsewhere", target, requires=requires))
    (ran,) = conformance(entry, zoo=zoo, only="deterministic")
    (built,) = conformance(entry, zoo=zoo, only="builds_on_meta")
    assert (ran.outcome, built.outcome) == (outcome, "passed")
    if outcome == "skipped":
        assert ran.detail == "needs cuda, and these checks run on the cpu: No cpu."


@pytest.mark.parametrize("kind", KINDS)
def test_checks_have_unique_names_and_promises(kind: str) -> None:
    checks = checks_for(kind)
    assert len({check.name for check in checks}) == len(checks) >= 10
    for check in checks:
        assert check.promise
        assert check.contract <= KINDS[kind].contract


def test_trials_are_named_after_part_example_and_check() -> None:
    entry = default_zoo().get("projector", "avg_pool_mlp")
    ids = [trial.id for trial in trials(entry, Case("pool 2", {"pool": 2}), only="shape_law")]
    assert ids == ["projector/avg_pool_mlp-pool_2-shape_law"]


def test_a_class_needs_its_kind() -> None:
    with pytest.raises(UsageError, match="The kind of MixesRows is not known"):
        conformance(planted_modules.MixesRows)


def test_a_class_must_be_importable() -> None:
    class Local:
        pass

    with pytest.raises(UsageError, match="Local is defined inside a function"):
        conformance(Local, kind="projector")


def test_an_unknown_check_lists_those_there_are() -> None:
    with pytest.raises(UsageError) as caught:
        conformance(planted_modules.MixesRows, kind="projector", only="speed")
    assert caught.value.what == "There is no check 'speed' of a projector."
    assert "shape_law" in caught.value.expected


def test_an_example_with_a_misspelt_option_says_so() -> None:
    entry = default_zoo().get("projector", "avg_pool_mlp")
    (result,) = conformance(entry, {"poool": 2}, only="builds")
    assert "has no option 'poool'" in result.detail


def test_select_takes_addresses_kinds_and_distributions() -> None:
    zoo = default_zoo()
    assert [entry.address for entry in select("projector/linear", zoo)] == ["projector/linear"]
    assert {entry.kind for entry in select("pooling", zoo)} == {"pooling"}
    assert len(select("plm_components", zoo)) >= len(KINDS)


def test_select_suggests_what_was_meant() -> None:
    with pytest.raises(UnknownComponentError) as caught:
        select("plm-component", default_zoo())
    assert str(caught.value).startswith("Nothing in the zoo is called 'plm-component'.")
    assert "plm-components" in caught.value.fix


def test_an_empty_zoo_knows_nothing() -> None:
    with pytest.raises(UnknownComponentError):
        select("projector/linear", Zoo())
