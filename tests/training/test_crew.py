"""Processes that share a step's work."""

import torch

from plm_components.training.crew import Crew, crew_of


def follow(crew: Crew, value: float) -> None:
    gradients = [torch.full((2, 3), value), torch.full((4,), -value)]
    crew.average(gradients)
    crew.average(gradients)


def test_gradients_become_the_mean_of_the_crew():
    with crew_of(2, follow, 3.0) as crew:
        gradients = [torch.full((2, 3), 1.0), torch.full((4,), 7.0)]
        crew.average(gradients)
        first = [gradient.clone() for gradient in gradients]
        crew.average(gradients)
    assert [gradient.unique().tolist() for gradient in first] == [[2.0], [2.0]]
    assert all(torch.equal(now, then) for now, then in zip(gradients, first, strict=True))


def test_a_crew_shares_out_every_scene_once():
    seeds = range(100, 125)
    shares = [Crew(rank, 3).share(seeds) for rank in range(3)]
    assert sorted(seed for share in shares for seed in share) == list(seeds)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_alone_nothing_changes():
    gradients = [torch.arange(3.0)]
    with crew_of(1, follow, 0.0) as crew:
        crew.average(gradients)
        assert crew.share(range(3)) == range(3)
    assert torch.equal(gradients[0], torch.arange(3.0))
