"""Passes each call to the best attention there is: measured where that was done, able elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor

from plm_components.contracts import (
    AttentionCall,
    AttentionSupport,
    Candidates,
    Causal,
    CausalCached,
    Choice,
    Documents,
    EveryPart,
    Full,
    Mask,
)
from plm_components.kernels.attention.choosing import Chooser, Source
from plm_components.kernels.attention.hardware import machine_of
from plm_components.kernels.attention.heads import check_call, check_heads
from plm_components.kernels.attention.request import Request, rounded
from plm_components.measured import Machine, Table, read_table, shipped
from plm_components.untrusted import expanded, shown


class AutoAttention:
    """Chooses an attention part for each kind of call, on the first such call, and remembers it.

    Calls are of one kind when device, dtype, mask, gradients, heads and the lengths, rounded to
    powers of two, are the same. Where a measured table is of exactly this hardware, the fastest
    part at its nearest shape is taken, no size further off than a factor of four; elsewhere
    ``sdpa``, then ``eager``, then any other that can. A kernel that no test has run on this
    hardware is never taken. Tested is what such a table has, what is made of torch's own operators,
    and, on a processor, what is ours. A part is imported only when its turn comes.

    A call that nothing can do is refused with what each part lacks. Under ``torch.compile`` the
    choice is made while tracing.

    Args:
        num_heads: Query heads.
        num_kv_heads: Key/value heads, a divisor of ``num_heads``.
        head_dim: Channels of one head.
        precision: ``exact`` takes no part that calls itself fast and less exact; for a call with
            gradients, no part that calls its gradients so, which leaves ``eager`` of ours. It
            holds all scores at once, so training on long inputs wants ``fast``, which takes
            either.
        table: A measured table of your own (``plm bench SPEC --tune FILE``); it decides before
            those that ship.
        candidates: Every other attention; filled by the assembler.

    Shapes:
        ``(B,H,L,h), (B,G,S,h), (B,G,S,h)`` -> ``(B,H,L,h)``.

    Raises:
        MeasurementError: the table cannot be read.
        UnsupportedError: on a call that no part can do.
    """

    __plm_kind__: ClassVar[str] = "attention"

    support: ClassVar[AttentionSupport] = AttentionSupport(
        masks=frozenset({Full, Causal, Documents, CausalCached}),
        dtypes=frozenset({torch.float64, torch.float32, torch.bfloat16, torch.float16}),
        devices=frozenset({"cpu", "cuda", "mps", "meta"}),
        gqa=True,
        backward=frozenset({"cpu", "cuda", "mps", "meta"}),
    )

    def __init__(
        self,
        num_heads: int,
        num_kv_heads: int,
        head_dim: int,
        *,
        precision: Literal["exact", "fast"] = "exact",
        table: Path | None = None,
        candidates: Annotated[Candidates, EveryPart("attention")],
    ) -> None:
        check_heads("attention/auto", num_heads, num_kv_heads, head_dim)
        self.num_heads, self.num_kv_heads, self.head_dim = num_heads, num_kv_heads, head_dim
        self.precision, self.table, self.candidates = precision, table, candidates
        self._own_table = None if table is None else _read(table)
        self._settled: dict[tuple[Any, ...], tuple[Any, Choice]] = {}
        self._traced = _Traced()

    def __call__(self, q_BHLh: Tensor, k_BGSh: Tensor, v_BGSh: Tensor, mask: Mask) -> Tensor:
        """``(B,H,L,h), (B,G,S,h), (B,G,S,h)`` -> ``(B,H,L,h)`` in the dtype of q."""
        check_call("attention/auto", self.num_heads, self.num_kv_heads, q_BHLh, k_BGSh, mask)
        wants_grad = q_BHLh.requires_grad or k_BGSh.requires_grad or v_BGSh.requires_grad
        kernel = self._kernel(
            q_BHLh.device,
            q_BHLh.dtype,
            type(mask),
            torch.is_grad_enabled() and wants_grad,
            rounded(q_BHLh.shape[0] * self.num_heads),
            rounded(q_BHLh.shape[2]),
            rounded(k_BGSh.shape[2]),
        )
        out_BHLh: Tensor = kernel(q_BHLh, k_BGSh, v_BGSh, mask)
        return out_BHLh

    def explain(self, call: AttentionCall) -> Choice:
        """What it takes for a call, and why; asked by ``plm check`` and ``plm show``.

        Args:
            call: Of any device, here or not.

        Raises:
            UnsupportedError: nothing it may take can do this.
        """
        return self._settle(
            call.device,
            call.dtype,
            call.mask,
            call.backward,
            rounded(call.batch * self.num_heads),
            rounded(call.num_queries),
            rounded(call.num_keys),
        )[1]

    @property
    def choices(self) -> Mapping[Request, Choice]:
        """What was chosen so far, by request."""
        chosen = {self._request(*asked): choice for asked, (_, choice) in self._settled.items()}
        return MappingProxyType(chosen)

    @classmethod
    def local_files(cls, **options: object) -> dict[str, Sequence[Path]]:
        """The measured table: a saved variant takes it along."""
        table = options.get("table")
        return {"table": [expanded(table)]} if isinstance(table, str | Path) else {}

    def _kernel(self, *asked: Any) -> Any:
        if torch.compiler.is_compiling():
            # an attribute, since torch.compile looks those up when it comes to them
            return getattr(self._traced, self._traced_name(*asked))
        return self._settle(*asked)[0]

    @torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
    def _traced_name(self, *asked: Any) -> str:
        """Settles a call while torch.compile traces: to it the name is a constant."""
        kernel, _ = self._settle(*asked)
        name = f"kernel_{list(self._settled).index(asked)}"
        setattr(self._traced, name, kernel)
        return name

    def _settle(self, *asked: Any) -> tuple[Any, Choice]:
        found = self._settled.get(asked)
        if found is None:
            request = self._request(*asked)
            found = self._settled[asked] = self._chooser(request.device).choose(request)
        return found

    def _request(self, *asked: Any) -> Request:
        # the heads are no part of what is remembered: torch.compile may take them for variable
        return Request(self.num_heads // self.num_kv_heads, self.head_dim, *asked)

    def _chooser(self, device: torch.device) -> Chooser:
        machine = machine_of(device)
        sources, asides = self._sources(machine)
        heads = (self.num_heads, self.num_kv_heads, self.head_dim)
        return Chooser(heads, self.candidates, self.precision, machine, sources, asides)

    def _sources(self, machine: Machine | None) -> tuple[tuple[Source, ...], tuple[str, ...]]:
        """The tables of a machine, and what to say of one that is not of it."""
        ours = () if machine is None else shipped(machine)
        sources = [Source(table, "a table that ships", is_shipped=True) for table in ours]
        own = self._own_table
        if own is None:
            return tuple(sources), ()
        if machine is None or not own.machine.is_same_hardware(machine):
            aside = f"{shown(self.table)} is of {shown(own.machine)} and does not count here"
            return tuple(sources), (aside,)
        return (Source(own, shown(self.table), is_shipped=False), *sources), ()

    def __getstate__(self) -> dict[str, Any]:
        # what was chosen here is not what another machine would choose
        return {**vars(self), "_settled": {}, "_traced": _Traced()}


class _Traced:
    """Kernels that torch.compile was told of, one an attribute."""


def _read(path: Path) -> Table:
    """A table, read once for all layers unless its file changes."""
    file = expanded(path)
    try:
        state = file.stat()
    except OSError:
        return read_table(file)  # says what is wrong
    return _read_at(file, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=8)
def _read_at(file: Path, changed_ns: int, num_bytes: int) -> Table:
    return read_table(file)
