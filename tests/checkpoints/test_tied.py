"""Ties survive the meta device; nothing unfilled goes unnoticed."""

import torch
from torch import nn

from plm_components.checkpoints import materialise, set_tensor, tensors_of, unfilled


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(5, 3)
        self.head = nn.Linear(3, 5, bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("kept", torch.ones(2))
        self.register_buffer("table", torch.arange(3.0), persistent=False)


def test_a_tied_weight_is_listed_once() -> None:
    state = tensors_of(Tied())
    assert list(state.tensors) == ["kept", "embed.weight"]
    assert state.aliases == {"head.weight": "embed.weight"}


def test_materialising_keeps_the_tie_and_marks_everything_unfilled() -> None:
    with torch.device("meta"):
        module = Tied()
    assert unfilled(module) == ["embed.weight", "kept", "table"]
    materialise(module, "cpu")
    assert module.head.weight is module.embed.weight
    assert unfilled(module) == ["embed.weight", "kept", "table"]
    nn.init.zeros_(module.embed.weight)
    module.kept.fill_(1)
    module.table.fill_(1)
    assert unfilled(module) == []


def test_setting_one_name_sets_all_and_copies_nothing() -> None:
    with torch.device("meta"):
        module = Tied()
    module.embed.weight.requires_grad_(False)
    value = torch.randn(5, 3)
    set_tensor(module, tensors_of(module).names_of("embed.weight"), value)
    assert module.head.weight is module.embed.weight
    assert module.embed.weight.data_ptr() == value.data_ptr()
    assert not module.embed.weight.requires_grad
