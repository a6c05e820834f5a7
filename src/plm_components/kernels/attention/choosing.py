"""Which kernel computes a request: by measurement where there is one, by capability elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from plm_components.contracts import AttentionSupport, Candidates, Choice, Offer, shortfalls
from plm_components.errors import PlmError, UnsupportedError
from plm_components.kernels.attention.request import Request
from plm_components.measured import Machine, Row, Table
from plm_components.untrusted import shown

# what torch itself does best comes first, what does everything second, the others by name
_PREFERRED = ("plm-components:sdpa", "plm-components:eager")
_OURS = "plm-components"
# a table may hold the time of auto itself, which is that of what it took
_ITSELF = "attention/auto"


@dataclass(frozen=True)
class Source:
    """A measured table of the hardware at hand.

    Args:
        table: The table.
        label: What to call it.
        is_shipped: Whether it comes with this package, as the parts it measured do.
    """

    table: Table
    label: str
    is_shipped: bool

    def is_of(self, row: Row, offer: Offer) -> bool:
        """Whether a row measured what is offered, in the version that is here."""
        return row.is_of(
            offer.address, offer.distribution, offer.version, is_shipped=self.is_shipped
        )


@dataclass(frozen=True)
class Chooser:
    """Chooses among the candidates of one part.

    Args:
        heads: ``(num_heads, num_kv_heads, head_dim)`` that a kernel is built with.
        candidates: Every other attention.
        precision: Whether kernels that declare themselves ``fast`` may be taken, or that declare
            their gradients so where gradients are wanted.
        machine: Where it computes; None for a device that is not here.
        sources: Tables of that machine, the one that decides first.
        asides: What to say of tables that do not count.
    """

    heads: tuple[int, int, int]
    candidates: Candidates
    precision: Literal["exact", "fast"]
    machine: Machine | None
    sources: tuple[Source, ...]
    asides: tuple[str, ...] = ()

    def choose(self, request: Request) -> tuple[Any, Choice]:
        """The kernel, built, and why it.

        Raises:
            UnsupportedError: no candidate can do it, or no test has run those that can.
        """
        kernel, choice = self._chosen(request)
        if self.precision == "fast" or not choice.passed_over:
            return kernel, choice
        fast_kernel, fast = replace(self, precision="fast")._chosen(request)
        if fast.part == choice.part:
            return kernel, choice
        why = _inexactness(fast_kernel.support, request)
        told = f"{choice.reason}; precision: fast would take {fast.part}, but {why}"
        return kernel, replace(choice, reason=told)

    def _chosen(self, request: Request) -> tuple[Any, Choice]:
        passed_over: list[str] = []
        for source in self.sources:
            found = self._fastest(source, request, passed_over)
            if found is not None:
                return found
        return self._first_able(request, passed_over)

    def _fastest(
        self, source: Source, request: Request, passed_over: list[str]
    ) -> tuple[Any, Choice] | None:
        """By the times of one table at its nearest shape; of two tables they do not compare."""
        rows = _nearest(source.table, request)
        for index, row in enumerate(rows):
            name, kernel, why = self._measured_kernel(source, row, request)
            if kernel is not None:
                reason = self._told_measured(source, rows, index)
                return kernel, Choice(name, reason, tuple(passed_over))
            passed_over.append(f"{row.part} {_ms(row.median_s)}, {why}")
        return None

    def _measured_kernel(
        self, source: Source, row: Row, request: Request
    ) -> tuple[str, Any | None, str]:
        named = [
            (name, offer)
            for name, offer in self.candidates.items()
            if (row.part, row.provider) == (offer.address, offer.distribution)
        ]
        if not named:
            return "", None, f"of {shown(row.provider)}, which is not here"
        name, offer = named[0]
        # what is not available has no version here to speak of
        if offer.status == "available" and not source.is_of(row, offer):
            return "", None, f"measured in {shown(row.version)}, here is {offer.version}"
        return name, *self._kernel(offer, request)

    def _first_able(self, request: Request, passed_over: list[str]) -> tuple[Any, Choice]:
        unmeasured = self._why_unmeasured(request, bool(passed_over))
        for name, offer in self._in_order():
            kernel, why = self._kernel(offer, request)
            proof = None if kernel is None else self._proof(offer, kernel.support, request)
            if proof is not None:
                reason = "; ".join([f"{unmeasured}: {proof}", *self.asides])
                return kernel, Choice(name, reason, tuple(passed_over))
            why = why or "no test has run it on this hardware"
            passed_over.append(f"{name}: {why}")
        lacking = "; ".join([*passed_over, *self.asides]) or "there is no other attention"
        raise UnsupportedError(
            f"attention/auto has no kernel for {request}: {lacking}.",
            where="attention/auto",
            expected="a kernel that can do this, and that a test has run on this hardware",
            fix="ask for what one of them can do, install one that can, or measure those that can: "
            "plm bench SPEC --tune FILE, then table: FILE",
        )

    def _in_order(self) -> Iterator[tuple[str, Offer]]:
        first = [name for name in _PREFERRED if name in self.candidates]
        rest = sorted(name for name in self.candidates if name not in first)
        return ((name, self.candidates[name]) for name in (*first, *rest))

    def _kernel(self, offer: Offer, request: Request) -> tuple[Any | None, str]:
        """The kernel, built, or why it cannot be taken; whatever it raises is such a reason."""
        if offer.status != "available":
            return None, f"{offer.status}: {offer.reason}"
        try:
            cls = offer.load()
            why = self._obstacle(getattr(cls, "support", None), request)
            return (None, why) if why else (cls(*self.heads), "")
        except PlmError as error:
            return None, error.what.rstrip(".")
        except Exception as error:
            return None, shown(f"it cannot be built: {type(error).__name__}: {error}")

    def _obstacle(self, support: object, request: Request) -> str:
        if not isinstance(support, AttentionSupport):
            return "it does not say what it supports"
        lacking = dict(
            shortfalls(
                support,
                masks=(request.mask,),
                device=request.device.type,
                dtype=request.dtype,
                grouped=request.group != 1,
                head_dim=request.head_dim,
                backward=request.backward,
            )
        )
        if lacking:
            return f"it cannot do {', '.join(lacking)}"
        inexact = "" if self.precision == "fast" else _inexactness(support, request)
        return f"{inexact}, which needs precision: fast" if inexact else ""

    def _proof(self, offer: Offer, support: AttentionSupport, request: Request) -> str | None:
        """Why a kernel can be trusted where it has no time; None where no test has run it."""
        if request.device.type == "meta":
            return "nothing is computed on meta"
        if support.portable:
            return "torch's own operators"
        if any(self._vouches(source, offer, request) for source in self.sources):
            return "it passed the gate on this hardware"
        if request.device.type == "cpu" and offer.distribution == _OURS:
            return "tested on processors"
        return None

    def _vouches(self, source: Source, offer: Offer, request: Request) -> bool:
        return any(
            source.is_of(row, offer)
            and row.mask == request.mask.__name__
            and f"torch.{row.dtype}" == str(request.dtype)
            and row.backward >= request.backward
            for row in source.table.rows
        )

    def _why_unmeasured(self, request: Request, was_near: bool) -> str:
        if request.device.type == "meta":
            return "nothing to measure"
        if self.machine is None:
            return f"no {request.device.type} device is here, so no table counts"
        if not self.sources:
            return f"not measured on this hardware ({self.machine})"
        if was_near:
            return f"nothing measured near this shape on {self.machine} can be taken"
        gradients = " with gradients" if request.backward else ""
        asked = f"{request.mask.__name__} in {str(request.dtype).removeprefix('torch.')}{gradients}"
        return f"no time of {asked} near this shape on {self.machine}"

    def _told_measured(self, source: Source, rows: list[Row], index: int) -> str:
        taken, behind = rows[index], rows[index + 1 : index + 3]
        others = ", ".join(f"{row.part.partition('/')[2]} {_ms(row.median_s)}" for row in behind)
        shape = f"{taken.batch} x {taken.num_heads} heads, {taken.num_queries:,} queries, "
        told = [
            f"fastest {'of' if index == 0 else 'that may be taken of'} {len(rows)} measured on "
            f"{source.table.machine} ({shape}{taken.num_keys:,} keys): {_ms(taken.median_s)}",
            *([others] if others else []),
        ]
        here, there = self.machine, source.table.machine.torch
        if here is not None and here.torch != there:
            told.append(f"measured with torch {shown(there)}, here is {here.torch}")
        return "; ".join([*told, f"by {source.label}", *self.asides])


def _inexactness(support: AttentionSupport, request: Request) -> str:
    """What ``precision: exact`` has against a kernel; with gradients its output counts as well."""
    if support.precision == "fast":
        return "it is fast and less exact"
    if request.backward and support.gradient_precision == "fast":
        return "its gradients are fast and less exact"
    return ""


def _nearest(table: Table, request: Request) -> list[Row]:
    """The rows of the measured shape nearest to a request, the fastest first."""
    near: dict[tuple[float, int, int, int, int], list[Row]] = {}
    for row in table.rows:
        counts = request.is_met_by(row) and row.part != _ITSELF
        apart = request.distance(row) if counts else None
        if apart is not None:
            # of shapes equally near the smallest
            shape = (apart, row.num_queries, row.num_keys, row.batch, row.num_heads)
            near.setdefault(shape, []).append(row)
    rows = near[min(near)] if near else []
    return sorted(rows, key=lambda row: (row.median_s, row.part, row.provider))


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.3g} ms"
