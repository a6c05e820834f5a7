"""Tensors in a ``.pth`` file, read through a memory map; no code in it is ever run.

The file is the state dict of a model, alone or beside other things (``{"model": …, "optim": …}``).
Shapes are read without torch; a tensor is a private view of the file that ``torch.load`` maps,
with ``weights_only`` and after everything it is going to believe was checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from plm_components.checkpoints.match import first_few
from plm_components.checkpoints.pickle_header import CodeError, DescribedTensor, read_pickle
from plm_components.checkpoints.tensor_files import hash_files
from plm_components.checkpoints.torch_zip import read_torch_zip, unreadable
from plm_components.errors import CheckpointError
from plm_components.untrusted import reason

SINGLE_PICKLE = "consolidated.pth"
FIRST_PART = "consolidated.00.pth"
# PerceptionLM's checkpoints, and the encoders it starts from
_WRAPPERS = ("model", "state_dict", "weights")
_MAX_SHARING = 4


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
        """Yields ``(name, tensor)``; tensors are views of the memory map.

        Raises:
            CheckpointError: torch finds something else than was checked.
        """
        tensors = self._mapped()
        for name in names:
            tensor = tensors[name].detach()
            if tuple(tensor.shape) != self.shapes[name]:
                raise unreadable(self.path, "it has changed since it was opened")
            yield name, tensor

    def _mapped(self) -> Mapping[str, Tensor]:
        try:
            loaded = torch.load(self.path, map_location="cpu", mmap=True, weights_only=True)
        # torch's interpreter can end in any error
        except Exception as error:
            raise unreadable(self.path, reason(error)) from error
        found: Mapping[str, Tensor] = loaded if self.wrapper is None else loaded[self.wrapper]
        return found

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
        content = read_pickle(archive.pickle)
    except CodeError as error:
        raise _holds_code(path, str(error)) from error
    except ValueError as error:
        raise unreadable(path, reason(error)) from error
    tensors, wrapper, beside = _state_dict(content, path)
    _check_places(tensors, archive.records, path)
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
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


def _state_dict(
    content: Any, path: Path
) -> tuple[dict[str, DescribedTensor], str | None, tuple[str, ...]]:
    """The tensors, the key they stand under, and the keys beside it."""
    entries = content
    wrapper = None
    beside: tuple[str, ...] = ()
    if isinstance(entries, dict):
        wrapper = next((key for key in _WRAPPERS if isinstance(entries.get(key), dict)), None)
        if wrapper is not None:
            beside = tuple(str(key) for key in entries if key != wrapper)
            entries = entries[wrapper]
    if not isinstance(entries, dict) or not entries:
        raise _no_state_dict(path, "there are no tensors in it")
    others = [
        str(key)
        for key, value in entries.items()
        if not (isinstance(key, str) and isinstance(value, DescribedTensor))
    ]
    if others:
        raise _no_state_dict(path, f"{len(others)} entries are no tensors: {first_few(others)}")
    return entries, wrapper, beside


def _no_state_dict(path: Path, reason: str) -> CheckpointError:
    return CheckpointError(
        f"This file is no state dict: {reason}.",
        where=str(path),
        expected=f"names and tensors, or these under one of: {', '.join(_WRAPPERS)}",
        fix="save it with torch.save(model.state_dict(), path)",
    )


def _holds_code(path: Path, what: str) -> CheckpointError:
    return CheckpointError(
        f"The file asks to run {what}; it was not run.",
        where=str(path),
        expected="tensors in dictionaries and nothing else: torch.save(model.state_dict(), path)",
        fix="get the weights as safetensors; do not open this file with torch.load",
    )


def _check_places(
    tensors: Mapping[str, DescribedTensor], records: Mapping[str, int], path: Path
) -> None:
    astray = [name for name, tensor in tensors.items() if not tensor.fits(records)]
    if astray:
        raise unreadable(path, f"it does not hold what it says of {first_few(astray)}")
    # tied weights share a record; thousands of names for one would be terabytes once copied
    if sum(tensor.num_bytes for tensor in tensors.values()) > _MAX_SHARING * sum(records.values()):
        raise unreadable(path, "its tensors share too few bytes")
