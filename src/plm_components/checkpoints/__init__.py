"""Weights on the disk: our own directories, what they hold, and how strictly they are read."""

from plm_components.checkpoints.directory import (
    LOCK_FILE,
    SPEC_FILE,
    VariantWriter,
    check_writable,
    lock_text,
    read_lock_text,
    unreadable_lock,
)
from plm_components.checkpoints.export import (
    Exported,
    check_exportable,
    prepared_export,
    write_export,
)
from plm_components.checkpoints.formats import read_published
from plm_components.checkpoints.hf_keys import hf_keys
from plm_components.checkpoints.hub import is_hub_id
from plm_components.checkpoints.inexpressible import ExportFormat
from plm_components.checkpoints.licenses import license_of_weights
from plm_components.checkpoints.match import first_few, match_exactly
from plm_components.checkpoints.original_keys import (
    original_changes,
    original_keys,
)
from plm_components.checkpoints.origins import (
    PUBLISHED,
    Origin,
    open_origin,
    open_published,
    parse_origin,
)
from plm_components.checkpoints.part_origins import OpenedPart, open_part, parse_part_origin
from plm_components.checkpoints.pickled import open_pickled
from plm_components.checkpoints.plm_sizes import PLMSizes, plm_sizes, require_plm
from plm_components.checkpoints.published import Published
from plm_components.checkpoints.receipt import Receipt, ReceiptLine, receipt_of
from plm_components.checkpoints.renamed import RenamedTensors
from plm_components.checkpoints.source import TensorSource
from plm_components.checkpoints.tensor_files import (
    WRITE_ERRORS,
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
    "PUBLISHED",
    "SPEC_FILE",
    "WRITE_ERRORS",
    "ExportFormat",
    "Exported",
    "ModuleTensors",
    "OpenedPart",
    "Origin",
    "PLMSizes",
    "Published",
    "Receipt",
    "ReceiptLine",
    "RenamedTensors",
    "StoredTensors",
    "TensorSource",
    "VariantWriter",
    "check_exportable",
    "check_writable",
    "first_few",
    "first_nonfinite",
    "hf_keys",
    "is_hub_id",
    "license_of_weights",
    "lock_text",
    "match_exactly",
    "materialise",
    "materialise_buffers",
    "open_origin",
    "open_part",
    "open_pickled",
    "open_published",
    "open_tensors",
    "original_changes",
    "original_keys",
    "parse_origin",
    "parse_part_origin",
    "plm_sizes",
    "prepared_export",
    "read_lock_text",
    "read_published",
    "receipt_of",
    "require_plm",
    "set_tensor",
    "tensors_of",
    "unfilled",
    "unreadable_lock",
    "write_export",
    "write_tensors",
]
