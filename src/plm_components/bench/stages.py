"""A request on the meta device, stage by stage: what kernels were asked, what the rest costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from plm_components.assembly import BuiltParts
from plm_components.bench.costs import Costs, OperatorCost, counting
from plm_components.bench.recording import Call, Recording
from plm_components.bench.requests import Request, Stage
from plm_components.contracts import Causal, CausalCached
from plm_components.errors import ContractError, PlmError


@dataclass
class StageRun:
    """What a stage ran.

    Args:
        calls: Requests to kernels in slots, and how often.
        operators: Everything else.
        inside: Those that ran in modules which can be benched as a whole, by slot.
    """

    calls: Counter[Call] = field(default_factory=Counter)
    operators: Counter[OperatorCost] = field(default_factory=Counter)
    inside: dict[str, Counter[OperatorCost]] = field(default_factory=dict)

    @property
    def costs(self) -> Costs:
        """Of everything but the kernels."""
        return Costs(dict(self.operators))

    def costs_inside(self, path: str) -> Costs:
        """Of everything but the kernels in the modules of a slot."""
        return Costs(dict(self.inside.get(path, {})))


class MetaRun:
    """Runs built parts on shapes alone.

    Args:
        parts: Built on meta, with recorders.
        recording: Of these recorders.
        request: What to run.
        dtype: Of pixels and embeddings.
        wholes: Slots whose modules' own share is wanted.

    Raises:
        ContractError: the prompt is longer than the decoder.
        PlmError: parts that do not fit, as they say it.
    """

    def __init__(
        self,
        parts: BuiltParts,
        recording: Recording,
        request: Request,
        dtype: torch.dtype,
        wholes: Sequence[str] = (),
    ) -> None:
        self.stages: dict[Stage, StageRun] = {}
        self.failures: dict[Stage, str] = {}
        self._parts, self._recording, self._dtype = parts, recording, dtype
        self._wholes = wholes
        encoder, projector = parts.vision_encoder, parts.projector
        side, tiles = encoder.image_size, request.num_tiles
        grid = encoder.grid(side, side)
        self.context = tiles * projector.num_tokens(grid) + request.text_tokens
        self._require_room()
        if "encode" in request.stages:
            tokens = self._run("encode", lambda: encoder(self._empty(tiles, 3, side, side)))
            shape = (tiles, grid.num_tokens, encoder.width)
            self._run("project", lambda: projector(self._empty(*shape, like=tokens), grid))
        self._run_decoder(parts.decoder)

    def _run_decoder(self, decoder: Any) -> None:
        """The prompt, with a cache where that can be had on meta; then one token behind it."""
        with torch.device("meta"):
            ids_1L = torch.zeros(1, self.context, dtype=torch.long)
        cache = decoder.new_cache(1, self.context + 1, self._dtype, "meta")
        if self._run("prefill", lambda: self._forward(decoder, ids_1L, Causal(), cache)) is None:
            # nothing can stand behind a cache that was not filled
            self.failures["decode"] = self.failures.pop("prefill")
            self._run("prefill", lambda: self._forward(decoder, ids_1L, Causal(), None))
            return
        mask = CausalCached(cache.lengths_B)
        self._run("decode", lambda: self._forward(decoder, ids_1L[:, :1], mask, cache))

    def _forward(self, decoder: Any, ids_1L: Tensor, mask: Any, cache: Any) -> Tensor:
        hidden_1LD = decoder(
            decoder.embed(ids_1L), positions_BL=torch.zeros_like(ids_1L), mask=mask, cache=cache
        )
        # only the last position needs logits
        logits: Tensor = decoder.logits(hidden_1LD[:, -1:])
        return logits

    def _run(self, stage: Stage, forward: Callable[[], Tensor]) -> Tensor | None:
        """Runs a stage and keeps what it ran; None where it cannot run on shapes alone."""
        self._recording.take()
        try:
            with counting() as operators, self._shares(operators) as inside:
                out = forward()
        except PlmError:
            raise
        except Exception as error:  # some parts look at values, which meta has not
            first_line = str(error).partition("\n")[0]
            self.failures[stage] = f"{type(error).__name__}: {first_line}"
            return None
        self.stages[stage] = StageRun(self._recording.take(), operators, inside)
        return out

    @contextmanager
    def _shares(
        self, operators: Counter[OperatorCost]
    ) -> Iterator[dict[str, Counter[OperatorCost]]]:
        """Fills what is counted between the beginning and the end of a module of a slot."""
        inside: dict[str, Counter[OperatorCost]] = {path: Counter() for path in self._wholes}
        with ExitStack() as hooks:
            for path, share in inside.items():
                for module in self._parts.instances.get(path, []):
                    hooks.enter_context(_counted(module, operators, share))
            yield inside

    def _empty(self, *shape: int, like: Tensor | None = None) -> Tensor:
        dtype = self._dtype if like is None else like.dtype
        return torch.empty(shape, dtype=dtype, device="meta")

    def _require_room(self) -> None:
        most = self._parts.decoder.max_positions
        if self.context + 1 > most:
            raise ContractError(
                f"A prompt of {self.context:,} positions and one token do not fit the decoder.",
                where="bench, input",
                expected=f"at most {most:,} positions",
                fix="ask with fewer tiles or frames, or raise decoder.max_positions",
            )


@contextmanager
def _counted(
    module: nn.Module, operators: Counter[OperatorCost], share: Counter[OperatorCost]
) -> Iterator[None]:
    """Adds to ``share`` what ``operators`` gains while the module runs."""
    before: list[Counter[OperatorCost]] = []

    def begin(*_: Any) -> None:
        before.append(operators.copy())

    def end(*_: Any) -> None:
        share.update(operators - before.pop())

    hooks = (module.register_forward_pre_hook(begin), module.register_forward_hook(end))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
