"""Seeded numbers are the same each time, and nobody else's numbers change."""

from __future__ import annotations

import pytest
import torch

from plm_components.seeding import seeded


def test_the_same_numbers_and_afterwards_as_before() -> None:
    before = torch.get_rng_state()
    with seeded(5):
        first = torch.rand(3)
    assert torch.equal(torch.get_rng_state(), before)
    with seeded(5):
        assert torch.equal(torch.rand(3), first)
    with seeded(6):
        assert not torch.equal(torch.rand(3), first)


def test_an_error_inside_changes_nothing_either() -> None:
    before = torch.get_rng_state()
    with pytest.raises(IndexError), seeded(5):
        torch.rand(3)[9]
    assert torch.equal(torch.get_rng_state(), before)


def test_no_gpu_is_seeded_that_was_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda seed: pytest.fail("seeds every GPU"))
    with seeded(5):
        torch.rand(3)


class FakeGpus:
    """The states of two GPUs."""

    def __init__(self) -> None:
        self.states = [torch.zeros(1), torch.ones(1)]

    def __getitem__(self, index: int) -> FakeGpus:
        self.index = index
        return self

    def manual_seed(self, seed: int) -> None:
        self.states[self.index] = torch.full((1,), float(seed))


def test_the_gpu_that_was_named_is_seeded_and_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus = FakeGpus()
    monkeypatch.setattr(torch.cuda, "default_generators", gpus)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda index: gpus.states[index])
    monkeypatch.setattr(
        torch.cuda, "set_rng_state", lambda state, index: gpus.states.__setitem__(index, state)
    )
    with seeded(5, "cuda:1"):
        assert [float(state) for state in gpus.states] == [0.0, 5.0]
    assert [float(state) for state in gpus.states] == [0.0, 1.0]
