"""Which tensor came from where: the answer to "is this projector trained?"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace

from torch import Tensor


@dataclass(frozen=True)
class ReceiptLine:
    """The tensors of one part that share an origin.

    Args:
        part: Top-level slot (``projector``).
        origin: What made them (``random, seed 0``, ``make train-tiny``).
        tensors: How many.
        parameters: Their elements.
        fresh: Whether nothing was ever learned in them.
        via: Where they were last read from (``plm:runs/a``); None if they never left memory.
        sha256: Hash of the files they first came from, hexadecimal; None where nobody took it.
        passed_over: Tensors of those files that were known and not wanted (heads, other towers).
    """

    part: str
    origin: str
    tensors: int
    parameters: int
    fresh: bool
    via: str | None = None
    sha256: str | None = None
    passed_over: int = 0

    def __str__(self) -> str:
        read = f", read from {self.via}" if self.via else ""
        untrained = " (fresh: nothing learned)" if self.fresh else ""
        left = f", {self.passed_over} others passed over" if self.passed_over else ""
        digest = f", sha256 {self.sha256[:12]}" if self.sha256 else ""
        return (
            f"{self.part}: {self.tensors} tensors, {self.parameters:,} elements, "
            f"{self.origin}{untrained}{left}{digest}{read}"
        )


@dataclass(frozen=True)
class Receipt:
    """Origins of all tensors of a variant, one line a part and origin."""

    lines: tuple[ReceiptLine, ...]

    @property
    def fresh_parts(self) -> tuple[str, ...]:
        """Parts that hold tensors nobody trained."""
        return tuple(dict.fromkeys(line.part for line in self.lines if line.fresh))

    @property
    def num_tensors(self) -> int:
        """Tensors in all."""
        return sum(line.tensors for line in self.lines)

    def read_from(self, via: str) -> Receipt:
        """The same tensors, read back from somewhere."""
        return Receipt(tuple(replace(line, via=via) for line in self.lines))

    def to_list(self) -> list[dict[str, object]]:
        """For JSON."""
        return [asdict(line) for line in self.lines]

    @classmethod
    def from_list(cls, lines: Iterable[Mapping[str, object]]) -> Receipt:
        """From JSON; ``TypeError`` or ``ValueError`` where it is something else."""
        return cls(tuple(_line(**dict(line)) for line in lines))

    def __str__(self) -> str:
        return "\n".join(map(str, self.lines)) or "no tensors"


def receipt_of(
    tensors: Mapping[str, Tensor], origin: str, *, fresh: bool = False, via: str | None = None
) -> Receipt:
    """Counts tensors that share an origin, by top-level part.

    Args:
        tensors: A model's tensors by name.
        origin: What made them.
        fresh: Whether nothing was ever learned in them.
        via: Where they were read from.
    """
    counts: dict[str, list[int]] = {}
    for name, tensor in tensors.items():
        count = counts.setdefault(name.partition(".")[0], [0, 0])
        count[0] += 1
        count[1] += tensor.numel()
    return Receipt(
        tuple(
            ReceiptLine(part, origin, tensors, elements, fresh, via)
            for part, (tensors, elements) in counts.items()
        )
    )


def _line(
    *,
    part: object,
    origin: object,
    tensors: object,
    parameters: object,
    fresh: object,
    via: object = None,
    sha256: object = None,
    passed_over: object = 0,
) -> ReceiptLine:
    if not isinstance(tensors, int) or not isinstance(parameters, int):
        raise TypeError("counts of a receipt are whole numbers")
    if not isinstance(passed_over, int):
        raise TypeError("passed_over is a whole number")
    if not isinstance(fresh, bool):
        raise TypeError("fresh is true or false")
    if not isinstance(via, str | None) or not isinstance(sha256, str | None):
        raise TypeError("via and sha256 are a text or null")
    return ReceiptLine(str(part), str(origin), tensors, parameters, fresh, via, sha256, passed_over)
