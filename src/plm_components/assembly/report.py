"""What ``check`` found: the parts, the totals, the faults and the edit that mends them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from plm_components.errors import Fault


@dataclass(frozen=True)
class Row:
    """One part of a variant.

    Args:
        path: Spec path (``decoder.block``).
        address: ``kind/name``.
        provider: Distribution and version it comes from.
        count: How often it is built: layers of a repeated part.
        parameters: Its parameters in all repetitions, nested parts included; None for a part that
            holds none by nature.
        output: Shape of what it gives, in the package's letters.
    """

    path: str
    address: str
    provider: str
    count: int
    parameters: int | None
    output: str


@dataclass(frozen=True)
class Chosen:
    """What a part that chooses among others takes at one stage of a request.

    Args:
        path: Spec path of the part that chooses.
        stage: ``encode``, ``project``, ``prefill`` or ``decode``.
        part: What it takes, as a spec would name it.
        reason: Why.
        passed_over: What came before it, each with why it was not taken.
    """

    path: str
    stage: str
    part: str
    reason: str
    passed_over: tuple[str, ...] = ()

    def __str__(self) -> str:
        others = f" (passed over: {'; '.join(self.passed_over)})" if self.passed_over else ""
        return f"{self.path}, {self.stage}: {self.part}, {self.reason}{others}"


@dataclass(frozen=True)
class Totals:
    """Sums over a variant; None where a part that decides it is missing or broken.

    Args:
        parameters: Of the model, tied ones once.
        weight_bytes: Of parameters and persistent buffers in the dtype asked for.
        dtype: That dtype.
        tokens_per_tile: Positions a tile or a frame takes.
        tokens_per_image: Of the largest image.
        tokens_per_video: Of the longest video.
        max_positions: What the decoder takes.
        largest_request: The largest medium, the template around it, one token of a question and
            one of an answer.
    """

    parameters: int | None = None
    weight_bytes: int | None = None
    dtype: str = "float32"
    tokens_per_tile: int | None = None
    tokens_per_image: int | None = None
    tokens_per_video: int | None = None
    max_positions: int | None = None
    largest_request: int | None = None


@dataclass(frozen=True)
class Report:
    """The answer of ``check``; true where the parts fit.

    Args:
        name: Of the spec.
        rows: The parts, nested ones behind the part that holds them.
        totals: Sums.
        faults: Everything that does not fit.
        edits: Overrides that mend it, tried out; empty where none was found.
        notes: What could not be verified, and why.
        choices: What parts that choose among others take on the device and in the dtype asked for.
    """

    name: str | None
    rows: tuple[Row, ...]
    totals: Totals
    faults: tuple[Fault, ...] = ()
    edits: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    choices: tuple[Chosen, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the parts fit."""
        return not self.faults

    def __bool__(self) -> bool:
        return self.ok

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "ok": self.ok}

    def __str__(self) -> str:
        blocks = [self._table(), self._totals_text(), *map(str, self.choices)]
        blocks += [f"note: {note}" for note in self.notes]
        blocks += [f"{n}. {fault}" for n, fault in enumerate(self.faults, start=1)]
        if self.edits:
            blocks.append(f"This mends it: {' '.join(self.edits)}")
        blocks.append("The parts fit." if self.ok else "The parts do not fit.")
        return "\n".join(block for block in blocks if block)

    def _table(self) -> str:
        head = ("path", "part", "provider", "parameters", "output")
        return aligned([head, *(_cells(row) for row in self.rows)]) if self.rows else ""

    def _totals_text(self) -> str:
        totals = self.totals
        lines = [
            f"parameters: {totals.parameters:,}" if totals.parameters is not None else "",
            f"weights: {gigabytes(totals.weight_bytes)} in {totals.dtype}"
            if totals.weight_bytes is not None
            else "",
            self._tokens_text(),
        ]
        return "\n".join(line for line in lines if line)

    def _tokens_text(self) -> str:
        totals = self.totals
        counts = [
            (totals.tokens_per_tile, "a tile"),
            (totals.tokens_per_image, "the largest image"),
            (totals.tokens_per_video, "the longest video"),
        ]
        said = [f"{count:,} {what}" for count, what in counts if count is not None]
        room = f" of {totals.max_positions:,} positions" if totals.max_positions else ""
        return f"tokens: {', '.join(said)}{room}" if said else ""


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Cells in columns; the last column is left ragged."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def gigabytes(num_bytes: int) -> str:
    """``6.13 GB`` or ``8.1 MB``, in powers of ten."""
    return f"{num_bytes / 1e9:.2f} GB" if num_bytes >= 1e9 else f"{num_bytes / 1e6:.1f} MB"


def _cells(row: Row) -> tuple[str, ...]:
    count = f" x{row.count}" if row.count > 1 else ""
    parameters = "-" if row.parameters is None else f"{row.parameters:,}"
    return (row.path, row.address + count, row.provider, parameters, row.output)
