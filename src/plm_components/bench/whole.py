"""Whole stages of a model by the clock: every operator, with random weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

from plm_components.assembly import BuiltParts, as_dtype, build
from plm_components.assembly.build import placed
from plm_components.bench.clock import CudaClock, cpu_clock
from plm_components.bench.requests import Stage
from plm_components.bench.workload import SLOTS, Workload
from plm_components.contracts import Causal, CausalCached, Mask
from plm_components.spec import load_spec, resolve
from plm_components.zoo import Zoo

_LEAST_ROUNDS = 3


def measure_stages(
    spec: str | Path | Mapping[str, Any],
    work: Workload,
    *,
    overrides: Sequence[str],
    dtype: str | torch.dtype,
    device: str | torch.device,
    time_s: float,
    zoo: Zoo,
    on_progress: Callable[[str], None],
) -> dict[Stage, float]:
    """Median seconds of each stage of a workload, forward; of ``decode`` one token.

    Nothing is gated here: these are times of the parts that the spec names, in their places. The
    weights are random, which a time does not depend on.

    Args:
        spec: As it was given to ``workload``.
        work: What came of it.
        overrides: Likewise.
        dtype: Likewise.
        device: Where to measure.
        time_s: Seconds of rounds for each stage; three rounds in any case.
        zoo: Where parts are looked up.
        on_progress: Told what is being done.
    """
    where, wanted = torch.device(device), as_dtype(dtype)
    tree = resolve(load_spec(spec, overrides, zoo=zoo), zoo)
    slots = {slot: part for slot, part in tree.parts.items() if slot in SLOTS}
    parts = build(replace(tree, parts=slots), device="meta", dtype=wanted)
    for module in (parts.vision_encoder, parts.projector, parts.decoder):
        _fill(module, where, wanted)
    rounds = _rounds(parts, work, wanted, where)
    found: dict[Stage, float] = {}
    with torch.no_grad():
        for stage in work.rest:
            on_progress(f"the whole of {stage}")
            found[stage] = _median_s(rounds[stage], where, time_s)
    return found


@dataclass(frozen=True)
class _Rounds:
    """A stage that can be run again and again.

    Args:
        run: What is timed.
        before: What puts things back, not timed.
    """

    run: Callable[[], Tensor]
    before: Callable[[], object] = lambda: None


def _fill(module: nn.Module, device: torch.device, dtype: torch.dtype) -> None:
    """Memory and random numbers, fast: drawn on the device, no initialisation of each part."""
    module.to_empty(device=device)
    with placed(device, dtype), torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(std=0.02)
        module.init_buffers()  # type: ignore[operator]  # every module part has it
    module.eval()


def _rounds(
    parts: BuiltParts, work: Workload, dtype: torch.dtype, device: torch.device
) -> dict[Stage, _Rounds]:
    encoder, projector = parts.vision_encoder, parts.projector
    side, tiles = encoder.image_size, work.request.num_tiles
    grid = encoder.grid(side, side)
    pixels = torch.rand(tiles, 3, side, side, device=device).to(dtype)
    tokens = torch.randn(tiles, grid.num_tokens, encoder.width, device=device).to(dtype)
    return {
        "encode": _Rounds(lambda: encoder(pixels)),
        "project": _Rounds(lambda: projector(tokens, grid)),
        **_decoder_rounds(parts.decoder, work.context, dtype, device),
    }


def _decoder_rounds(
    decoder: Any, context: int, dtype: torch.dtype, device: torch.device
) -> dict[Stage, _Rounds]:
    ids_1L = torch.zeros(1, context, dtype=torch.long, device=device)
    positions_1L = torch.arange(context + 1, device=device)[None]
    cache = decoder.new_cache(1, context + 1, dtype, device)

    def forward(ids: Tensor, positions: Tensor, mask: Mask) -> Tensor:
        x_BLD = decoder.embed(ids)
        hidden_BLD = decoder(x_BLD, positions_BL=positions, mask=mask, cache=cache)
        logits: Tensor = decoder.logits(hidden_BLD[:, -1:])
        return logits

    def prefill() -> Tensor:
        return forward(ids_1L, positions_1L[:, :context], Causal())

    def decode() -> Tensor:
        return forward(ids_1L[:, :1], positions_1L[:, context:], CausalCached(cache.lengths_B))

    def filled() -> None:
        if int(cache.lengths_B[0]) < context:
            cache.truncate(0)
            prefill()
        cache.truncate(context)

    return {
        "prefill": _Rounds(prefill, lambda: cache.truncate(0)),
        "decode": _Rounds(decode, filled),
    }


def _median_s(rounds: _Rounds, device: torch.device, time_s: float) -> float:
    clock: Callable[[], Any] = CudaClock(device) if device.type == "cuda" else cpu_clock
    times: list[float] = []
    began = perf_counter()
    # the first round loads and chooses kernels
    while len(times) <= _LEAST_ROUNDS or perf_counter() - began < time_s:
        rounds.before()
        start = clock()
        rounds.run()
        times.append(clock() - start)
    return median(times[1:])
