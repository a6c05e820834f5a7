"""The lock beside some tensors, once the tensors are known to be those it was written for."""

from __future__ import annotations

from plm_components.assembly.local_files import lock_localised
from plm_components.assembly.lock import Lock, LockedWeights
from plm_components.checkpoints import LOCK_FILE, TensorSource, lock_text
from plm_components.errors import CheckpointError

# above this, the bytes are not read a second time to look for NaN unless asked
SMALL_BYTES = 1 << 30


def saved_lock(stored: TensorSource, *, verify: bool | None) -> Lock | None:
    """The lock beside some tensors; None where there is none.

    Args:
        stored: The tensors.
        verify: Compare the hash too; None does so below 1 GiB.

    Raises:
        CheckpointError: the tensors are not those the lock was written for.
    """
    path = stored.paths[0].parent / LOCK_FILE
    if not path.is_file():
        return None
    lock = Lock.from_json(lock_text(path), where=str(path))
    if lock.weights is not None:
        _require_same(stored, lock.weights, with_hash=is_worth_reading(stored, verify))
    return lock_localised(lock, path.parent.resolve())


def _require_same(stored: TensorSource, saved: LockedWeights, *, with_hash: bool) -> None:
    same = stored.num_bytes == saved.num_bytes and len(stored.shapes) == saved.num_tensors
    if not same or (with_hash and stored.sha256() != saved.sha256):
        raise CheckpointError(
            "The weights are not those the lock beside them was written for.",
            where=f"{stored.origin} ({stored.paths[0]})",
            expected=f"{saved.num_tensors} tensors, {saved.num_bytes:,} bytes, "
            f"sha256 {saved.sha256[:12]}",
            fix="copy the whole directory again from where it came",
        )


def is_worth_reading(stored: TensorSource, verify: bool | None) -> bool:
    """Whether to read all bytes once more, only to verify them."""
    return stored.num_bytes < SMALL_BYTES if verify is None else verify
