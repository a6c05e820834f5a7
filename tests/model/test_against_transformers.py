"""Whole small PerceptionLMs, saved by transformers and loaded by us: the same numbers out."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import PerceptionLMForConditionalGeneration

import plm_components as plm
from published import ROWS, Inputs, Size, both_logits, inputs_of, save_small

GRID = [Size(*size) for size in product((True, False), (True, False), (1.0, 8.0, 32.0), (1, 2))]


def cases(size: Size) -> dict[str, Inputs]:
    """Every kind of row alone, and all of them in one batch, padded on either side."""
    alone = {name: inputs_of([row], size) for name, row in ROWS.items()}
    mixed = list(ROWS.values())
    return alone | {
        f"all rows, padded {side}": inputs_of(mixed, size, side=side, seed=1)
        for side in ("right", "left")
    }


@pytest.mark.parametrize("size", GRID, ids=str)
def test_fp32_logits_equal_transformers(size: Size, tmp_path: Path) -> None:
    theirs = save_small(tmp_path, size)
    ours = plm.load(tmp_path).model
    for name, inputs in cases(size).items():
        expected, found = both_logits(theirs, ours, inputs)
        scale = float(expected.abs().max())
        assert float((found - expected).abs().max()) <= 2e-5 * scale, name


WIDER = {"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 4, "vocab_size": 256}


@pytest.mark.parametrize("size", [Size(), Size(False, False, 32.0, 1)], ids=str)
def test_bf16_is_no_further_from_our_fp32_than_transformers_is(size: Size, tmp_path: Path) -> None:
    """Rounding is a matter of luck in one model; over four of them it is not."""
    errors = [bf16_errors(tmp_path / str(seed), size, seed) for seed in range(4)]
    our_error, their_error = (sum(column) for column in zip(*errors, strict=True))
    assert 0 < our_error <= their_error


def bf16_errors(directory: Path, size: Size, seed: int) -> tuple[float, float]:
    """Root mean squares of ours and of transformers' against our own fp32."""
    save_small(directory, size, seed=seed, **WIDER)
    exact = plm.load(directory, dtype="float32").model
    ours = plm.load(directory, dtype="bfloat16").model
    theirs = PerceptionLMForConditionalGeneration.from_pretrained(directory, dtype=torch.bfloat16)
    inputs = inputs_of(list(ROWS.values()), size, seed=seed)
    their_logits, our_logits = both_logits(theirs.eval(), ours, inputs)
    with torch.no_grad():
        right = exact(**inputs.for_us())[inputs.attention_mask.bool()]
    return rms(our_logits - right), rms(their_logits - right)


def rms(x: Tensor) -> float:
    return float(x.float().square().mean().sqrt())
