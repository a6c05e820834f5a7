"""Tensors on the disk: safetensors files, one or several, read through a memory map.

Shapes come from the headers, so a file is compared with a spec before a weight is read. A tensor
on the CPU is a private view of the file: nothing is copied until someone writes to it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from plm_components.checkpoints.match import first_few
from plm_components.errors import CheckpointError
from plm_components.untrusted import parse_json, read_json, reason, require_regular, shown

SINGLE_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
MAX_FILE_BYTES = 5 * 10**9
# what writing tensors raises where a disk refuses: Python, torch, safetensors
WRITE_ERRORS = (OSError, RuntimeError, SafetensorError)
# of a header and of an index; 10,000 tensors take about 1.3 MB
MAX_HEADER_BYTES = 16 * 2**20
_LENGTH_BYTES = 8
# how its text begins, of the length of that number
_LFS_POINTER = b"version "
_FILE_NAME = re.compile(r"[\w.-]{1,200}\.safetensors")
_PATH_SHOWN = 400


@dataclass(frozen=True)
class StoredTensors:
    """The tensors of one checkpoint, by name.

    Args:
        origin: Where they come from, as a spec writes it (``plm:runs/a``), for messages.
        files: Each tensor's file.
        shapes: Each tensor's shape.
        paths: All files, in order.
    """

    origin: str
    files: Mapping[str, Path]
    shapes: Mapping[str, tuple[int, ...]]
    paths: tuple[Path, ...]

    @property
    def num_bytes(self) -> int:
        """Bytes of all files."""
        return sum(path.stat().st_size for path in self.paths)

    def read(self, names: Iterable[str]) -> Iterator[tuple[str, Tensor]]:
        """Yields ``(name, tensor)``, file by file; tensors are views of the memory map."""
        by_file: dict[Path, list[str]] = {}
        for name in names:
            by_file.setdefault(self.files[name], []).append(name)
        for path, wanted in by_file.items():
            with _opened(path) as handle:
                for name in wanted:
                    yield name, handle.get_tensor(name)

    def sha256(self) -> str:
        """Hash of all files, in order, hexadecimal."""
        return hash_files(self.paths)


def has_tensors(directory: Path) -> bool:
    """Whether there is anything for ``open_tensors`` to open."""
    return any((directory / name).is_file() for name in (SINGLE_FILE, INDEX_FILE))


def open_tensors(directory: Path, origin: str) -> StoredTensors:
    """The tensors of a directory: ``model.safetensors``, or the files its index names.

    Args:
        directory: Where the files lie.
        origin: How to call them in messages.

    Raises:
        CheckpointError: no file, a truncated file, no safetensors, an index that lies.
    """
    index = directory / INDEX_FILE
    # where both are there the one file counts, as in transformers: an index may be left over
    sharded = index.is_file() and not (directory / SINGLE_FILE).is_file()
    homes = _indexed(index) if sharded else {}
    paths = tuple(sorted(set(homes.values()))) or (directory / SINGLE_FILE,)
    stored = _opened_together(paths, origin)
    strays = [name for name, home in homes.items() if stored.files.get(name) != home]
    if strays:
        raise _bad_index(index, f"no file has what it says of {first_few(strays)}")
    return stored


def open_file(path: Path, origin: str) -> StoredTensors:
    """The tensors of one safetensors file, whatever its name.

    Args:
        path: The file.
        origin: How to call it in messages.

    Raises:
        CheckpointError: no file, a truncated file, no safetensors.
    """
    return _opened_together((path,), origin)


def _opened_together(paths: tuple[Path, ...], origin: str) -> StoredTensors:
    files: dict[str, Path] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    for path in paths:
        for name, shape in _header(path).items():
            if name in files:
                raise CheckpointError(
                    f"Tensor {shown(name)} is stored twice.",
                    where=f"{files[name]} and {path}",
                    expected="every tensor in one file",
                    fix="save the variant again",
                )
            files[name], shapes[name] = path, shape
    return StoredTensors(origin, files, shapes, paths)


def write_tensors(
    tensors: Mapping[str, Tensor], directory: Path, *, max_file_bytes: int = MAX_FILE_BYTES
) -> tuple[Path, ...]:
    """Writes tensors into a directory that nobody reads yet.

    Args:
        tensors: By name; contiguous, no two overlapping.
        directory: Where to write.
        max_file_bytes: Above this the tensors are spread over several files and an index.

    Returns:
        The tensor files.
    """
    shards = _split(tensors, max_file_bytes)
    if len(shards) == 1:
        save_file(shards[0], directory / SINGLE_FILE, metadata={"format": "pt"})
        return (directory / SINGLE_FILE,)
    names = [f"model-{i + 1:05d}-of-{len(shards):05d}.safetensors" for i in range(len(shards))]
    for name, shard in zip(names, shards, strict=True):
        save_file(shard, directory / name, metadata={"format": "pt"})
    homes = {key: name for name, shard in zip(names, shards, strict=True) for key in shard}
    total = sum(tensor.nbytes for tensor in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": homes}
    (directory / INDEX_FILE).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    return tuple(directory / name for name in names)


def hash_files(paths: Iterable[Path]) -> str:
    """SHA-256 over the contents of files, in order, hexadecimal."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def first_nonfinite(tensors: Iterable[tuple[str, Tensor]]) -> list[str]:
    """Names of the floating tensors that hold a NaN or an infinity."""
    return [
        name
        for name, tensor in tensors
        if tensor.is_floating_point() and tensor.numel() and not _is_finite(tensor)
    ]


def _is_finite(tensor: Tensor) -> bool:
    # one pass without a copy: the extremes are not finite where any element is not
    low, high = tensor.aminmax()
    return bool(low.isfinite() & high.isfinite())


def _split(tensors: Mapping[str, Tensor], limit: int) -> list[dict[str, Tensor]]:
    shards: list[dict[str, Tensor]] = [{}]
    room = limit
    for name, tensor in tensors.items():
        if tensor.nbytes > room and shards[-1]:
            shards.append({})
            room = limit
        shards[-1][name] = tensor
        room -= tensor.nbytes
    return shards


def _opened(path: Path) -> Any:
    try:
        return safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise _unreadable(path, error) from error


def _header(path: Path) -> dict[str, tuple[int, ...]]:
    _check_header(path)
    with _opened(path) as handle:
        return {name: tuple(handle.get_slice(name).get_shape()) for name in handle.keys()}  # noqa: SIM118


def _check_header(path: Path) -> None:
    """What safetensors does not mind: a pipe, a header of 100 MB, a name that stands twice."""
    try:
        require_regular(path)
        with path.open("rb") as stream:
            first = stream.read(_LENGTH_BYTES)
            if first == _LFS_POINTER:
                raise ValueError("it is a Git LFS pointer, and git lfs pull fetches the file")
            length = int.from_bytes(first, "little")
            if length > MAX_HEADER_BYTES:
                raise ValueError(f"its header is larger than {MAX_HEADER_BYTES:,} bytes")
            parse_json(stream.read(length).decode("utf-8"))
    except FileNotFoundError:
        raise CheckpointError(
            "There is no weights file.",
            where=shown(path, _PATH_SHOWN),
            expected=f"a safetensors file, {SINGLE_FILE} or the files of {INDEX_FILE}",
            fix="check the path, or save the variant again",
        ) from None
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> CheckpointError:
    return CheckpointError(
        f"The weights file cannot be read: {reason(error)}.",
        where=shown(path, _PATH_SHOWN),
        expected="a whole safetensors file",
        fix="copy it again from where it came; it is truncated, or of another format",
    )


def _indexed(index: Path) -> dict[str, Path]:
    """Each tensor's file, as an index says."""
    try:
        homes = read_json(index, MAX_HEADER_BYTES)["weight_map"]
        if not homes:
            raise ValueError("it names no tensor")
        return {name: _beside(index, home) for name, home in homes.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _bad_index(index, f"{type(error).__name__}: {error}") from error


def _beside(index: Path, name: object) -> Path:
    # a name, never a path: an index must not reach outside its directory
    if not isinstance(name, str) or not _FILE_NAME.fullmatch(name):
        raise ValueError(f"{shown(repr(name), 40)} is no name of a file beside it")
    return index.parent / name


def _bad_index(index: Path, why: str) -> CheckpointError:
    return CheckpointError(
        f"The index of the weights cannot be used: {shown(why)}.",
        where=str(index),
        expected='JSON with "weight_map": tensor name -> name of a file beside it that has it',
        fix="copy it again from where it came, or save the variant again",
    )
