"""What the pickle of a ``.pth`` file says of its tensors, read without obeying it.

A pickle is a program. Here its instructions are followed on paper: what it would call becomes a
description of a tensor or an error, nothing is imported, nothing is called, and the cost grows
with the bytes alone. ``torch.load(weights_only=True)`` is careful too, but it calls what it
trusts (``bytearray(10**12)``) and trusts what other libraries register with it.
"""

from __future__ import annotations

import math
import pickletools
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from plm_components.untrusted import shown

# bytes of one element, by the storage class that the pickle names
_ELEMENT_BYTES = {
    "torch DoubleStorage": 8,
    "torch FloatStorage": 4,
    "torch HalfStorage": 2,
    "torch BFloat16Storage": 2,
    "torch LongStorage": 8,
    "torch IntStorage": 4,
    "torch ShortStorage": 2,
    "torch CharStorage": 1,
    "torch ByteStorage": 1,
    "torch BoolStorage": 1,
}
_DICTIONARY = "collections OrderedDict"
_TENSOR = "torch._utils _rebuild_tensor_v2"
_PARAMETER = "torch._utils _rebuild_parameter"
_NAMES = {_DICTIONARY, _TENSOR, _PARAMETER, *_ELEMENT_BYTES}
# instructions that only say a value
_VALUES: dict[str, Callable[[], Any] | None] = {
    "BINUNICODE": None,
    "SHORT_BINSTRING": None,
    "BININT": None,
    "BININT1": None,
    "BININT2": None,
    "LONG1": None,
    "BINFLOAT": None,
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
}
_PROTOCOL = 2
_MAX_SIDES = 16
# a state dict keeps versions in an attribute; torch copies what is attached
_MAX_ATTACHED = 16


class CodeError(ValueError):
    """The pickle would run something; its text is what."""


@dataclass(frozen=True)
class DescribedTensor:
    """A tensor as a pickle describes it; nothing of it is believed before it is checked.

    Args:
        storage: Name of the record that holds its bytes.
        storage_bytes: Of that record.
        element_bytes: Of one element.
        offset: Of the first element in the record, in elements.
        shape: Its sides.
        strides: Elements between neighbours, per side.
    """

    storage: str
    storage_bytes: int
    element_bytes: int
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def num_bytes(self) -> int:
        """Of the tensor, were it copied."""
        return math.prod(self.shape) * self.element_bytes

    def fits(self, records: Mapping[str, int]) -> bool:
        """Whether it lies inside its record, and the record stores as much as it shows.

        A view can show a million rows and store one (a stride of 0).
        """
        reach = 1 + sum(
            (n - 1) * stride for n, stride in zip(self.shape, self.strides, strict=True)
        )
        last = self.offset + (reach if math.prod(self.shape) else 0)
        return (
            records.get(self.storage) == self.storage_bytes
            and last * self.element_bytes <= self.storage_bytes
            and self.num_bytes <= self.storage_bytes
        )


@dataclass(frozen=True)
class _Name:
    """Something a pickle would import."""

    text: str


def read_pickle(data: bytes) -> Any:
    """Dictionaries, lists, tuples and values, with a ``DescribedTensor`` for each tensor.

    Raises:
        CodeError: it would import or make anything else; nothing of it was run.
        ValueError: it is no pickle, or says what ``torch.save`` never writes.
    """
    reader = _Reader()
    try:
        # pickletools warns of the escapes that are refused below
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            for operation, argument, place in pickletools.genops(data):
                if operation.name == "GLOBAL":
                    _require_plain(data, str(argument), place or 0)
                reader.follow(operation.name, argument)
        return reader.stack[-1]
    except (IndexError, KeyError, TypeError, AttributeError) as error:
        raise ValueError("its pickle makes no sense") from error


def _require_plain(data: bytes, name: str, place: int) -> None:
    """Refuses escapes in a name: pickletools resolves them, torch does not."""
    if not data.startswith(name.replace(" ", "\n", 1).encode() + b"\n", place + 1):
        raise ValueError("its pickle writes a name as torch.save never does")


class _Reader:
    def __init__(self) -> None:
        self.stack: list[Any] = []
        self._below: list[list[Any]] = []
        self._memo: dict[int, Any] = {}
        self._attached = 0

    def follow(self, name: str, argument: Any) -> None:
        if name in _VALUES:
            make = _VALUES[name]
            self.stack.append(argument if make is None else make())
        elif name in ("BINPUT", "LONG_BINPUT"):
            self._memo[argument] = self.stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            self.stack.append(self._memo[argument])
        elif name == "MARK":
            self._below.append(self.stack)
            self.stack = []
        elif name.startswith("TUPLE"):
            self._tuple(name)
        elif name == "PROTO" and argument != _PROTOCOL:
            raise ValueError(f"its pickle is of protocol {argument}, not {_PROTOCOL}")
        elif name not in ("PROTO", "STOP"):
            self._change(name, argument)

    def _change(self, name: str, argument: Any) -> None:
        if name == "GLOBAL":
            if argument not in _NAMES:
                raise CodeError(shown(argument.replace(" ", ".", 1)))
            self.stack.append(_Name(argument))
        elif name in ("SETITEM", "SETITEMS"):
            items = self._popped(2 if name == "SETITEM" else None)
            keys = items[::2]
            if not all(map(_is_key, keys)):
                raise TypeError
            self.stack[-1].update(zip(keys, items[1::2], strict=True))
        elif name in ("APPEND", "APPENDS"):
            items = self._popped(1 if name == "APPEND" else None)
            self.stack[-1].extend(items)
        elif name == "BINPERSID":
            self.stack.append(_storage(self.stack.pop()))
        elif name == "REDUCE":
            arguments = self.stack.pop()
            self.stack.append(_made(self.stack.pop(), arguments))
        elif name == "BUILD":
            self._attach()
        else:
            raise CodeError(f"an object ({name})")

    def _tuple(self, name: str) -> None:
        # what stands on the stack is another list afterwards
        items = self._popped(None if name == "TUPLE" else int(name[-1]))
        self.stack.append(tuple(items))

    def _popped(self, count: int | None) -> list[Any]:
        """The last items of the stack; those since the last mark if None."""
        if count is None:
            items, self.stack = self.stack, self._below.pop()
            return items
        items = self.stack[-count:]
        if len(items) < count:
            raise IndexError
        del self.stack[-count:]
        return items

    def _attach(self) -> None:
        self.stack.pop()
        self._attached += 1
        if not isinstance(self.stack[-1], dict) or self._attached > _MAX_ATTACHED:
            raise CodeError("an object (BUILD)")


def _storage(described: Any) -> tuple[str, int, int]:
    """Record, bytes, and bytes of an element."""
    kind, storage, key, _, count = described
    element = _ELEMENT_BYTES[storage.text]
    if kind != "storage" or not isinstance(key, str) or type(count) is not int or count < 0:
        raise TypeError
    return f"data/{key}", count * element, element


def _made(called: _Name, arguments: tuple[Any, ...]) -> Any:
    if called.text == _PARAMETER and len(arguments) == 3:
        return arguments[0]
    if called.text == _DICTIONARY and arguments == ():
        return {}
    if called.text != _TENSOR:
        raise CodeError(shown(called.text.replace(" ", ".", 1)))
    (storage, num_bytes, element), offset, shape, strides = arguments[:4]
    # the sides may be shared by a million tensors: count them before looking at them
    if not (isinstance(shape, tuple) and isinstance(strides, tuple)):
        raise TypeError
    if len(shape) != len(strides) or len(shape) > _MAX_SIDES:
        raise TypeError
    if not all(type(one) is int and 0 <= one < 2**63 for one in (offset, *shape, *strides)):
        raise TypeError
    return DescribedTensor(storage, num_bytes, element, offset, shape, strides)


def _is_key(key: Any) -> bool:
    """Text and small numbers: hashing a tuple as deep as the file would end the process, and
    large numbers can be chosen to share a hash.
    """
    return type(key) is str or (type(key) is int and abs(key) < 2**31)
