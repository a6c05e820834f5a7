"""The licence of each slot's weights, asked where the spec says they come from."""

from __future__ import annotations

from pathlib import Path

from plm_components.assembly.filling import PASSED_THROUGH
from plm_components.assembly.lock import Lock
from plm_components.checkpoints import (
    LOCK_FILE,
    Origin,
    license_of_weights,
    lock_text,
    parse_origin,
    parse_part_origin,
)
from plm_components.spec import SpecTree
from plm_components.untrusted import expanded
from plm_components.zoo import NOT_STATED

# of the weights inside this package
OURS = "Apache-2.0"


def weights_licenses(tree: SpecTree, relative_to: Path | None) -> dict[str, str]:
    """By slot, for those that have weights; ``not stated`` where nothing states it.

    Args:
        tree: A resolved spec.
        relative_to: Where relative paths start; the working directory if None.

    Raises:
        SpecError: an entry names no weights.
        CheckpointError: the lock of a saved variant cannot be read.
    """
    found: dict[str, str] = {}
    for slot in PASSED_THROUGH:
        part = tree.parts.get(slot)
        if part is not None and part.weights is not None:
            own = parse_part_origin(part.weights, where=f"{slot}.weights")
            found[slot] = _stated(own, slot, relative_to) or NOT_STATED
        elif part is not None and tree.weights is not None:
            whole = parse_origin(tree.weights, where="weights")
            found[slot] = _stated(whole, slot, relative_to) or NOT_STATED
    return found


def _stated(origin: Origin, slot: str, relative_to: Path | None) -> str | None:
    if origin.kind == "package":
        return OURS
    directory = (relative_to or Path()) / expanded(origin.rest)
    file = directory / LOCK_FILE
    if origin.kind == "plm" and file.is_file():
        parts = Lock.from_json(lock_text(file), where=str(file)).parts
        return next((part.weights_license for part in parts if part.path == slot), None)
    return license_of_weights(str(expanded(origin.rest)), relative_to=relative_to)
