"""Which tensor came from where: the answer to "is this projector trained?"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from torch import Tensor

FRESH = "fresh"
META = "meta"


@dataclass(frozen=True)
class ReceiptLine:
    """The tensors of one part that share an origin.

    Args:
        part: Top-level slot (``projector``).
        origin: Where they come from (``plm:runs/a``), ``fresh`` for random, ``meta`` for none.
        tensors: How many.
        parameters: Their elements.
    """

    part: str
    origin: str
    tensors: int
    parameters: int

    @property
    def is_fresh(self) -> bool:
        """Whether nothing was ever learned in these tensors."""
        return self.origin.startswith((FRESH, META))

    def __str__(self) -> str:
        return f"{self.part}: {self.tensors} tensors ({self.parameters:,}) from {self.origin}"


@dataclass(frozen=True)
class Receipt:
    """Origins of all tensors of a variant, one line a part and origin."""

    lines: tuple[ReceiptLine, ...]

    @property
    def fresh_parts(self) -> tuple[str, ...]:
        """Parts that hold tensors nobody trained."""
        return tuple(dict.fromkeys(line.part for line in self.lines if line.is_fresh))

    def to_list(self) -> list[dict[str, object]]:
        """For JSON."""
        return [asdict(line) for line in self.lines]

    @classmethod
    def from_list(cls, lines: Iterable[Mapping[str, object]]) -> Receipt:
        """From JSON; ``TypeError`` or ``ValueError`` where it is something else."""
        return cls(tuple(_line(**line) for line in lines))

    def __str__(self) -> str:
        return "\n".join(map(str, self.lines)) or "no tensors"


def receipt_of(tensors: Mapping[str, Tensor], origins: Mapping[str, str]) -> Receipt:
    """Counts tensors by top-level part and origin.

    Args:
        tensors: A model's tensors by name.
        origins: Each name's origin.
    """
    counts: dict[tuple[str, str], list[int]] = {}
    for name, tensor in tensors.items():
        count = counts.setdefault((name.partition(".")[0], origins[name]), [0, 0])
        count[0] += 1
        count[1] += tensor.numel()
    return Receipt(tuple(ReceiptLine(*key, *count) for key, count in counts.items()))


def _line(*, part: object, origin: object, tensors: object, parameters: object) -> ReceiptLine:
    if not isinstance(tensors, int) or not isinstance(parameters, int):
        raise TypeError("counts of a receipt are whole numbers")
    return ReceiptLine(str(part), str(origin), tensors, parameters)
