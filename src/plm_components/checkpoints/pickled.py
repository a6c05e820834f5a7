"""Tensors in a ``.pth`` file, read through a memory map; no code in it is ever run.

The file is the state dict of a model, alone or beside other things (``{"model": …, "optim": …}``).
Shapes are read on the meta device; a tensor on the CPU is a private view of the file.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from plm_components.checkpoints.match import first_few
from plm_components.checkpoints.pickle_rules import check_pickle
from plm_components.checkpoints.tensor_files import hash_files
from plm_components.checkpoints.torch_zip import read_torch_zip, unreadable
from plm_components.errors import CheckpointError

SINGLE_PICKLE = "consolidated.pth"
FIRST_PART = "consolidated.00.pth"
# PerceptionLM's checkpoints, and the encoders it starts from
_WRAPPERS = ("model", "state_dict", "weights")
_MAX_ALIASES = 4


@dataclass(frozen=True)
class PickledTensors:
    """The tensors of one ``.pth`` file, by name; a ``TensorSource``.

    Args:
        origin: Where they come from, as a spec writes it, for messages.
        path: The file.
        wrapper: The key that the state dict stands under; None if it is the whole file.
        beside: Other keys of the file (``optim``), which are not read.
        shapes: Each tensor's shape.
    """

    origin: str
    path: Path
    wrapper: str | None
    beside: tuple[str, ...]
    shapes: Mapping[str, tuple[int, ...]]

    @property
    def paths(self) -> tuple[Path, ...]:
        """The one file."""
        return (self.path,)

    @property
    def num_bytes(self) -> int:
        """Bytes of the file."""
        return self.path.stat().st_size

    def read(self, names: Iterable[str]) -> Iterator[tuple[str, Tensor]]:
        """Yields ``(name, tensor)``; tensors are views of the memory map."""
        tensors, _, _ = _state_dict(_load(self.path, "cpu"), self.path)
        for name in names:
            yield name, tensors[name].detach()

    def sha256(self) -> str:
        """Hash of the file, hexadecimal."""
        return hash_files(self.paths)


def open_pickled(path: Path, origin: str) -> PickledTensors:
    """The tensors of a ``.pth`` file.

    Args:
        path: The file, or the directory that holds it as ``consolidated.pth`` or, in one part,
            as ``consolidated.00.pth``.
        origin: How to call them in messages.

    Raises:
        CheckpointError: no file, several parts, a damaged file, one that holds code, no state dict.
    """
    path = _one_part(path)
    archive = read_torch_zip(path)
    try:
        check_pickle(archive.pickle, path)
        loaded = _load(path, "meta")
    except CheckpointError:
        raise
    except Exception as error:
        # a damaged pickle can end in any error of torch's interpreter
        raise unreadable(path, str(error).partition("\n")[0] or type(error).__name__) from error
    tensors, wrapper, beside = _state_dict(loaded, path)
    _check_storages(tensors, archive.storages, path)
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    return PickledTensors(origin, path, wrapper, beside, shapes)


def _one_part(path: Path) -> Path:
    directory = path if path.is_dir() else path.parent
    parts = sorted(directory.glob("consolidated.[0-9][0-9].pth"))
    if path.is_dir():
        path = directory / (FIRST_PART if parts else SINGLE_PICKLE)
        path = directory / SINGLE_PICKLE if (directory / SINGLE_PICKLE).exists() else path
    if path in parts and len(parts) > 1:
        raise CheckpointError(
            f"The weights are split into {len(parts)} parts: {first_few(p.name for p in parts)}.",
            where=str(directory),
            expected=f"one file, {SINGLE_PICKLE}: parts of tensor-parallel training each hold a "
            "slice of every tensor, and which slice is not written in them",
            fix="consolidate them with the program that wrote them",
        )
    return path


def _load(path: Path, device: str) -> object:
    return torch.load(path, map_location=device, mmap=True, weights_only=True)


def _state_dict(
    loaded: object, path: Path
) -> tuple[dict[str, Tensor], str | None, tuple[str, ...]]:
    """The tensors, the key they stand under, and the keys beside it."""
    entries: Any = loaded
    wrapper = None
    beside: tuple[str, ...] = ()
    if isinstance(entries, dict):
        wrapper = next((key for key in _WRAPPERS if isinstance(entries.get(key), dict)), None)
        if wrapper is not None:
            beside = tuple(str(key) for key in entries if key != wrapper)
            entries = entries[wrapper]
    if not isinstance(entries, dict) or not entries:
        raise _no_state_dict(path, "there are no tensors in it")
    others = [str(k) for k, v in entries.items() if not (isinstance(k, str) and _is_tensor(v))]
    if others:
        raise _no_state_dict(path, f"{len(others)} entries are no tensors: {first_few(others)}")
    return entries, wrapper, beside


def _is_tensor(value: object) -> bool:
    return isinstance(value, Tensor)


def _no_state_dict(path: Path, reason: str) -> CheckpointError:
    return CheckpointError(
        f"This file is no state dict: {reason}.",
        where=str(path),
        expected=f"names and tensors, or these under one of: {', '.join(_WRAPPERS)}",
        fix="save it with torch.save(model.state_dict(), path)",
    )


def _check_storages(tensors: Mapping[str, Tensor], storages: Mapping[int, int], path: Path) -> None:
    """Each tensor lies in one record of the file, and none is more than what is stored of it.

    A view can say a million rows and store one (a stride of 0); whoever copies it needs them all.
    """
    total = 0
    for name, tensor in tensors.items():
        storage = tensor.untyped_storage()
        # torch notes where in the file a storage on meta would be read
        offset = getattr(storage, "_checkpoint_offset", None)
        wanted = math.prod(tensor.shape) * tensor.element_size()
        if storages.get(offset) != storage.nbytes() or wanted > storage.nbytes():  # type: ignore[arg-type]
            raise unreadable(path, f"tensor {name} is not where the file says")
        total += wanted
    if total > _MAX_ALIASES * sum(storages.values()):
        raise unreadable(path, "its tensors overlap")
