"""Variants that leave: refused for every reason at once, or written whole in another format."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from plm_components.atomic import atomic_directory
from plm_components.checkpoints.directory import check_writable
from plm_components.checkpoints.export_hf import HFExport
from plm_components.checkpoints.export_original import OriginalExport
from plm_components.checkpoints.hf_inputs import as_json
from plm_components.checkpoints.inexpressible import FORMATS, ExportFormat, inexpressible
from plm_components.checkpoints.tensor_files import WRITE_ERRORS
from plm_components.contracts import Tokenizer
from plm_components.errors import CheckpointError, ExportError, Fault, PlmError, UsageError
from plm_components.spec import SpecTree

# tells our exports from other directories, and says what is in this one
RECORD_FILE = "plm.export.json"
_RECORD_VERSION = 1


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    Args:
        directory: Where.
        format: ``hf`` or ``original``.
        files: Their names, in order.
        num_bytes: Of all files.
        left_out: What the format has no place for, in words; nothing else is lost.
    """

    directory: Path
    format: ExportFormat
    files: tuple[str, ...]
    num_bytes: int
    left_out: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "directory": str(self.directory),
            "format": self.format,
            "files": list(self.files),
            "num_bytes": self.num_bytes,
            "left_out": list(self.left_out),
        }

    def __str__(self) -> str:
        head = (
            f"{self.directory}: {FORMATS[self.format]} format, {len(self.files)} files, "
            f"{self.num_bytes:,} bytes"
        )
        return "\n".join([head, *(f"  left out: {one}" for one in self.left_out)])


def prepared_export(
    tree: SpecTree, tokenizer: Tokenizer | PlmError, format: ExportFormat, dtype: str
) -> HFExport | OriginalExport:
    """Everything that is decided before a weight is looked at.

    Args:
        tree: The composition.
        tokenizer: The variant's, or why there is none.
        format: ``hf`` or ``original``.
        dtype: Of the weights, ``bfloat16``.

    Raises:
        UsageError: no such format.
        ExportError: a composition that the format cannot express; every reason in one error.
    """
    if format not in FORMATS:
        raise UsageError(
            f"{format!r} is no format that is exported to.",
            where="export, format",
            expected=" or ".join(FORMATS),
            fix='export(directory, format="hf")',
        )
    faults = inexpressible(tree, format)
    if not faults and format == "hf":
        export = HFExport(tree, tokenizer, dtype)
        faults = export.faults()
        if not faults:
            return export
    if faults:
        raise _refusal(faults, tree, format)
    return OriginalExport(tree, dtype)


def write_export(
    export: HFExport | OriginalExport,
    tensors: Mapping[str, Tensor],
    target: Path,
    *,
    overwrite: bool,
) -> Exported:
    """Writes the directory, whole or not at all.

    Args:
        export: What ``prepared_export`` gave.
        tensors: The model's, by our names.
        target: New, empty, or an earlier export with ``overwrite``.
        overwrite: Replace the export that is there.

    Raises:
        UsageError: something else stands there.
        CheckpointError: the disk refuses; what was there before is untouched.
    """
    check_exportable(target, overwrite=overwrite)
    try:
        with atomic_directory(target) as staging:
            export.write(staging, tensors)
            files = tuple(sorted(path.name for path in staging.iterdir()))
            (staging / RECORD_FILE).write_text(as_json(_record(export, files)), encoding="utf-8")
            size = sum(path.stat().st_size for path in staging.iterdir())
    except WRITE_ERRORS as error:
        raise CheckpointError(
            f"The variant cannot be exported: {error}.",
            where=str(target),
            expected="a disk with room that may be written to",
            fix="export to another directory; what was there before is untouched",
        ) from error
    return Exported(target, export.format, (*files, RECORD_FILE), size, export.left_out)


def check_exportable(target: Path, *, overwrite: bool) -> None:
    """Refuses a directory that holds anything but an earlier export of ours.

    Raises:
        UsageError: something else, or an export without ``overwrite``.
    """
    check_writable(target, overwrite=overwrite, is_ours=_is_export, verb="export")


def _is_export(path: Path) -> bool:
    """Whether every file there is one that an export of ours wrote."""
    try:
        record = json.loads((path / RECORD_FILE).read_text(encoding="utf-8"))
        listed = {RECORD_FILE, *record["files"]}
        is_ours = record["plm_export"] == _RECORD_VERSION
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return is_ours and all(file.name in listed for file in path.iterdir())


def _record(export: HFExport | OriginalExport, files: tuple[str, ...]) -> dict[str, Any]:
    return {
        "plm_export": _RECORD_VERSION,
        "format": export.format,
        "files": list(files),
        "left_out": list(export.left_out),
    }


def _refusal(faults: list[Fault], tree: SpecTree, format: ExportFormat) -> ExportError:
    if len(faults) == 1:
        return ExportError.of(faults)
    name = tree.name or "this composition"
    return ExportError(
        f"{len(faults)} things of {name} cannot be said in {FORMATS[format]} format.",
        where=", ".join(dict.fromkeys(fault.where for fault in faults)),
        expected="a composition that the format can express",
        fix="variant.save(directory) keeps it in our own format",
        faults=faults,
    )
