"""Weights on the disk: our own directories, what they hold, and how strictly they are read."""

from plm_components.checkpoints.atomic import atomic_directory, atomic_file
from plm_components.checkpoints.directory import (
    LOCK_FILE,
    SPEC_FILE,
    VariantWriter,
    WrittenWeights,
    check_writable,
    is_variant,
    read_lock_text,
)
from plm_components.checkpoints.match import first_few, match_exactly
from plm_components.checkpoints.origins import Origin, open_origin, packaged_weights, parse_origin
from plm_components.checkpoints.receipt import Receipt, ReceiptLine, receipt_of
from plm_components.checkpoints.tensor_files import (
    StoredTensors,
    first_nonfinite,
    open_tensors,
    write_tensors,
)
from plm_components.checkpoints.tied import (
    ModuleTensors,
    materialise,
    materialise_buffers,
    set_tensor,
    tensors_of,
    unfilled,
)

__all__ = [
    "LOCK_FILE",
    "SPEC_FILE",
    "ModuleTensors",
    "Origin",
    "Receipt",
    "ReceiptLine",
    "StoredTensors",
    "VariantWriter",
    "WrittenWeights",
    "atomic_directory",
    "atomic_file",
    "check_writable",
    "first_few",
    "first_nonfinite",
    "is_variant",
    "match_exactly",
    "materialise",
    "materialise_buffers",
    "open_origin",
    "open_tensors",
    "packaged_weights",
    "parse_origin",
    "read_lock_text",
    "receipt_of",
    "set_tensor",
    "tensors_of",
    "unfilled",
    "write_tensors",
]
