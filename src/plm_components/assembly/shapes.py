"""Shapes, measured: the built parts run on the meta device, where nothing is computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from plm_components.assembly.candidates import nearby
from plm_components.assembly.examination import Examination
from plm_components.contracts import Causal, Grid
from plm_components.errors import PlmError
from plm_components.spec import Part

# two tiles: one would hide a part that mixes rows up
_TILES = 2
_POSITIONS = 8


def measure_encoder(exam: Examination) -> None:
    """Grid and output of the vision encoder on tiles of its own size."""
    built = exam.built("vision_encoder")
    if built is None:
        return
    part, encoder = built
    side = encoder.image_size
    grid = _promised(exam, part, lambda: encoder.grid(side, side), nearby(part))
    if grid is None:
        return
    exam.grid = grid
    pixels = torch.zeros(_TILES, 3, side, side, device="meta", dtype=exam.dtype)
    expected = (_TILES, grid.num_tokens, encoder.width)
    _run(exam, part, lambda: encoder(pixels), expected, "(B, h*w, C) of its grid and width")
    exam.outputs[part.path] = f"(T, {grid.num_tokens}, {encoder.width})"


def measure_projector(exam: Examination) -> None:
    """Tokens and output of the projector on the encoder's grid."""
    built = exam.built("projector")
    if built is None or exam.grid is None:
        return
    part, projector = built
    grid, encoder, width = exam.grid, exam.parts.vision_encoder, exam.parts.decoder.width
    candidates = nearby(part, exam.part("vision_encoder"))
    num_tokens = _promised(exam, part, lambda: projector.num_tokens(grid), candidates)
    if num_tokens is None:
        return
    exam.tokens_per_tile = num_tokens
    tokens = torch.zeros(_TILES, grid.num_tokens, encoder.width, device="meta", dtype=exam.dtype)
    expected = (_TILES, num_tokens, width)
    _run(exam, part, lambda: projector(tokens, grid), expected, "(B, num_tokens, out_dim)")
    exam.outputs[part.path] = f"(T, {num_tokens}, {width})"
    _check_out_grid(exam, part, projector.out_grid(grid), num_tokens)


def measure_decoder(exam: Examination) -> None:
    """Embeddings, hidden states and logits; hidden states only where they can be had on meta."""
    built = exam.built("decoder")
    if built is None:
        return
    part, decoder = built
    exam.outputs[part.path] = f"(B, L, {decoder.vocab_size})"
    ids = torch.zeros(1, _POSITIONS, device="meta", dtype=torch.long)
    hidden = torch.zeros(1, _POSITIONS, decoder.width, device="meta", dtype=exam.dtype)
    wide, tall = tuple(hidden.shape), (1, _POSITIONS, decoder.vocab_size)
    _run(exam, part, lambda: decoder.embed(ids), wide, "embeddings (B, L, width)")
    _run(exam, part, lambda: decoder.logits(hidden), tall, "logits (B, L, vocab_size)")
    try:
        with torch.no_grad():
            output = decoder(hidden, positions_BL=torch.zeros_like(ids), mask=Causal(), cache=None)
    except Exception as error:  # some look at the values of positions, which meta has not
        first_line = str(error).partition("\n")[0]
        exam.notes.append(f"not verified: the layers of {part.path} ({first_line})")
    else:
        _compare(exam, part, output, wide, "hidden states (B, L, width)")


def _promised(
    exam: Examination, part: Part, ask: Callable[[], Any], candidates: tuple[str, ...]
) -> Any | None:
    try:
        return ask()
    except PlmError as error:
        exam.find_error(error, f"{part.path} ({error.where})", candidates)
    except Exception as error:
        _failed(exam, part, error)
    return None


def _run(
    exam: Examination,
    part: Part,
    forward: Callable[[], Tensor],
    expected: tuple[int, ...],
    promise: str,
) -> None:
    try:
        with torch.no_grad():
            output = forward()
    except PlmError as error:
        exam.find_error(error, f"{part.path} ({error.where})", nearby(part))
    except Exception as error:
        _failed(exam, part, error)
    else:
        _compare(exam, part, output, expected, promise)


def _failed(exam: Examination, part: Part, error: Exception) -> None:
    exam.find(
        f"{part.entry.address} fails on the meta device: {type(error).__name__}: {error}",
        where=part.path,
        expected="a part that runs on shapes alone",
        fix=f"change its options, or report it to {part.entry.provider.distribution}",
        candidates=nearby(part),
    )


def _compare(
    exam: Examination, part: Part, output: Tensor, expected: tuple[int, ...], promise: str
) -> None:
    if tuple(output.shape) != expected:
        exam.find(
            f"{part.entry.address} gives {tuple(output.shape)}.",
            where=f"{part.path}, output of forward",
            expected=f"{expected}, since a {part.kind} promises {promise}",
            fix=f"report it to {part.entry.provider.distribution}",
            candidates=nearby(part),
        )


def _check_out_grid(exam: Examination, part: Part, grid: Grid | None, num_tokens: int) -> None:
    if grid is not None and grid[0] * grid[1] != num_tokens:
        exam.find(
            f"{part.entry.address} says {num_tokens} tokens and a {grid[0]}x{grid[1]} grid.",
            where=f"{part.path}, out_grid",
            expected="a grid of as many cells as tokens, or None",
            fix=f"report it to {part.entry.provider.distribution}",
        )
