"""Our own format: a directory from which a variant loads with nothing else.

``plm.yaml``
    the canonical spec, ``weights: plm:.``; paths that begin with ``./`` start at this directory
``model.safetensors``
    every tensor once, under the model's names; several files and an index above 5 GB
``plm.lock``
    which distribution and version built each part, hashes, and where each tensor came from
``files/``
    local files the spec refers to (a tokenizer), copied
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from plm_components.checkpoints.tensor_files import MAX_FILE_BYTES, hash_files, write_tensors
from plm_components.errors import CheckpointError, UsageError
from plm_components.untrusted import read_text, reason

SPEC_FILE = "plm.yaml"
LOCK_FILE = "plm.lock"
FILES_DIRECTORY = "files"
# a lock lists parts and their options, word lists among them
MAX_LOCK_BYTES = 4 * 2**20
_LOADED = (
    f"a directory with {SPEC_FILE} and {LOCK_FILE} (saved here), config.json (Hugging Face) or "
    "params.json (original)"
)


@dataclass(frozen=True)
class WrittenWeights:
    """What was written of the tensors.

    Args:
        sha256: Over the tensor files in order, hexadecimal.
        num_bytes: Of the tensor files.
        num_tensors: In all.
    """

    sha256: str
    num_bytes: int
    num_tensors: int


class VariantWriter:
    """Fills a staging directory; the caller makes it appear whole (``atomic_directory``)."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def tensors(
        self, tensors: Mapping[str, Tensor], *, max_file_bytes: int = MAX_FILE_BYTES
    ) -> WrittenWeights:
        """Writes the tensors and hashes what stands on the disk."""
        paths = write_tensors(tensors, self.directory, max_file_bytes=max_file_bytes)
        size = sum(path.stat().st_size for path in paths)
        return WrittenWeights(hash_files(paths), size, len(tensors))

    def texts(self, *, spec: str, lock: str) -> None:
        """Writes the spec and the lock."""
        (self.directory / SPEC_FILE).write_text(spec, encoding="utf-8")
        (self.directory / LOCK_FILE).write_text(lock, encoding="utf-8")

    def copy(self, named: Path, files: Sequence[Path], place: str) -> str:
        """Copies files; returns how the spec refers to what named them.

        Args:
            named: A file, or the directory that the files lie in.
            files: What to copy.
            place: Their directory beneath ``files/``.
        """
        target = self.directory / FILES_DIRECTORY / place
        for file in files:
            inside = file.relative_to(named) if named.is_dir() else Path(file.name)
            (target / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target / inside)
        reference = Path(FILES_DIRECTORY) / place / ("" if named.is_dir() else named.name)
        return f"./{reference.as_posix()}"


def check_writable(
    path: Path,
    *,
    overwrite: bool,
    is_ours: Callable[[Path], bool] | None = None,
    verb: str = "save",
) -> None:
    """Refuses to write where something stands that is not ours to replace.

    Args:
        path: The directory.
        overwrite: Whether what is ours may be replaced.
        is_ours: Says what is; ``is_variant`` by default.
        verb: What is being done, for messages: ``save`` or ``export``.

    Raises:
        UsageError: a file; a directory with other things in it; one of ours without ``overwrite``.
    """
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    if not path.is_dir():
        what, fix = "A file stands where the variant should go.", "choose another directory"
    elif not (is_ours or is_variant)(path):
        what, fix = "The directory holds other things.", "choose a new or an empty directory"
    elif not overwrite:
        done = f"{verb.removesuffix('e')}ed"
        what = f"A variant is {done} here already."
        fix = f"{verb}(..., overwrite=True) replaces it, --overwrite on a command line"
    else:
        return
    raise UsageError(what, where=str(path), expected="a new or empty directory", fix=fix)


def is_variant(path: Path) -> bool:
    """Whether a directory is of our format."""
    return (path / SPEC_FILE).is_file() and (path / LOCK_FILE).is_file()


def read_lock_text(path: Path) -> str:
    """The lock of a saved variant.

    Raises:
        CheckpointError: not a directory of ours; the message says what is missing.
    """
    if not path.is_dir():
        there = path.exists()
        raise CheckpointError(
            "This is no directory." if there else "There is no such directory.",
            where=str(path),
            expected=_LOADED,
            fix="name the directory that it lies in; a spec is assembled: plm.assemble"
            if there
            else "check the path; a spec that ships is assembled: plm.assemble",
        )
    absent = [name for name in (SPEC_FILE, LOCK_FILE) if not (path / name).is_file()]
    if len(absent) == 2:
        raise CheckpointError(
            "Nothing in this directory says what it holds.",
            where=str(path),
            expected=_LOADED,
            fix="check the path, or copy the whole directory",
        )
    if absent:
        raise CheckpointError(
            f"{' and '.join(absent)} missing: this is not a whole variant of ours.",
            where=str(path),
            expected=f"{SPEC_FILE}, {LOCK_FILE} and model.safetensors, as Variant.save writes them",
            fix="save the variant again, or copy the whole directory",
        )
    return lock_text(path / LOCK_FILE)


def lock_text(file: Path) -> str:
    """The text of a lock, whatever stands in it.

    Raises:
        CheckpointError: no file, no text, or more of it than a lock has.
    """
    try:
        return read_text(file, MAX_LOCK_BYTES)
    except (OSError, ValueError) as error:
        raise unreadable_lock(reason(error), where=str(file)) from error


def unreadable_lock(why: str, *, where: str) -> CheckpointError:
    """The error of a lock that is none."""
    return CheckpointError(
        f"The lock cannot be read: {why}.",
        where=where,
        expected="the plm.lock that Variant.save wrote",
        fix="copy it again from where it came, or save the variant again",
    )
