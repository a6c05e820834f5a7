"""What a measured table holds: the hardware, and one row a part, shape, dtype and mask."""

from __future__ import annotations

from dataclasses import dataclass

_OURS = "plm-components"


@dataclass(frozen=True)
class Machine:
    """Hardware that something was measured on.

    Args:
        device: Type of the device, ``cpu`` or ``cuda``.
        name: As its maker writes it, ``NVIDIA H100 80GB HBM3``; of a processor see
            ``processor_name``.
        torch: Version of torch.
        threads: That torch computed with.
    """

    device: str
    name: str
    torch: str
    threads: int

    def is_same_hardware(self, other: Machine) -> bool:
        """Whether what was measured on one counts on the other.

        Names match exactly. On a processor the number of threads belongs to the hardware: another
        number makes another kernel the fastest. Of which torch a table is, its reader is told.
        """
        alike = (self.device, self.name) == (other.device, other.name)
        return alike and (self.device != "cpu" or self.threads == other.threads)

    def __str__(self) -> str:
        threads = f", {self.threads} thread{'s' * (self.threads != 1)}"
        return self.name + (threads if self.device == "cpu" else "")


@dataclass(frozen=True)
class Row:
    """A part that passed the gate at one shape, and how long it took.

    Args:
        kind: Kind of the part.
        part: Its address, ``attention/sdpa``.
        provider: Distribution that it comes from.
        version: Of the distribution, and of others that the part needs:
            ``0.1.0 with flash-attn 2.8.3``.
        mask: Class of the mask: ``Full``, ``Causal``, ``Documents`` or ``CausalCached``.
        dtype: Of inputs and output, ``bfloat16``.
        backward: Whether gradients were computed too.
        batch: Rows of the batch.
        num_heads: Query heads.
        num_kv_heads: Key/value heads.
        head_dim: Channels of a head.
        num_queries: Queries a row.
        num_keys: Keys a row.
        median_s: Seconds of a call, the median of all rounds.
        error: Largest error as a multiple of the plain kernel's own.
    """

    kind: str
    part: str
    provider: str
    version: str
    mask: str
    dtype: str
    backward: bool
    batch: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    num_queries: int
    num_keys: int
    median_s: float
    error: float

    def is_of(self, part: str, provider: str, version: str, *, is_shipped: bool) -> bool:
        """Whether it measured this very part.

        Args:
            part: Its address.
            provider: Distribution that it comes from here.
            version: Of the distribution, and of others that the part needs: another one is
                another kernel.
            is_shipped: Whether the row ships with this package. What it says of our own parts was
                released with them, and holds whatever the version was called meanwhile; not so
                the versions of what a part needs.
        """
        if (self.part, self.provider) != (part, provider):
            return False
        if is_shipped and provider == _OURS:
            return _needed(self.version) == _needed(version)
        return self.version == version


def _needed(version: str) -> str:
    return version.partition(" with ")[2]


@dataclass(frozen=True)
class Table:
    """Everything measured on one machine in one go, so that its times may be compared.

    Args:
        machine: Where.
        rows: In no particular order, none twice.
    """

    machine: Machine
    rows: tuple[Row, ...]
