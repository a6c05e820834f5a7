"""From a spec to parts that fit: check, build, weights, and the lock that says where from."""

from plm_components.assembly.assemble import Assembled, Init, Wish, assemble_tree
from plm_components.assembly.build import BuiltParts, build, build_slot
from plm_components.assembly.check import as_dtype, check, zoo_with
from plm_components.assembly.devices import usable_device
from plm_components.assembly.filling import receipt_from
from plm_components.assembly.grafts import require_grafts
from plm_components.assembly.installed import require_installed, with_providers_named
from plm_components.assembly.licenses import Licenses, PartLicenses, licenses
from plm_components.assembly.local_files import (
    localised,
    lock_as_saved,
    with_files_copied,
    without_part_weights,
)
from plm_components.assembly.lock import (
    Lock,
    LockedPart,
    LockedWeights,
    compare,
    lock_of,
)
from plm_components.assembly.promises import dtype_name
from plm_components.assembly.published import assemble_published
from plm_components.assembly.report import Report, Row, Totals
from plm_components.assembly.unfit import UnfitError
from plm_components.assembly.untrained import require_trained

__all__ = [
    "Assembled",
    "BuiltParts",
    "Init",
    "Licenses",
    "Lock",
    "LockedPart",
    "LockedWeights",
    "PartLicenses",
    "Report",
    "Row",
    "Totals",
    "UnfitError",
    "Wish",
    "as_dtype",
    "assemble_published",
    "assemble_tree",
    "build",
    "build_slot",
    "check",
    "compare",
    "dtype_name",
    "licenses",
    "localised",
    "lock_as_saved",
    "lock_of",
    "receipt_from",
    "require_grafts",
    "require_installed",
    "require_trained",
    "usable_device",
    "with_files_copied",
    "with_providers_named",
    "without_part_weights",
    "zoo_with",
]
