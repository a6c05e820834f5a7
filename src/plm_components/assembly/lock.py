"""The lock: which distribution and version built each part, and whose weights are in it.

Saved beside weights as JSON. When a variant is loaded elsewhere, the lock names what to install.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from pathlib import PurePath
from types import UnionType
from typing import Any, TypeVar, get_origin, get_type_hints

from plm_components.assembly.examination import all_parts
from plm_components.assembly.promises import DTYPES
from plm_components.checkpoints import Receipt, unreadable_lock
from plm_components.errors import CheckpointError, PlmError, PluginError
from plm_components.spec import Part, SpecTree, default_processor
from plm_components.untrusted import parse_json, shown
from plm_components.zoo import Zoo

FORMAT = 1
_Read = TypeVar("_Read")


@dataclass(frozen=True)
class LockedPart:
    """Where one part came from.

    Args:
        path: Spec path.
        kind: Its kind.
        name: Its name within the kind.
        contract: Version of the kind's contract it was written for.
        distribution: What provides it, or the path of a part file.
        version: Of the distribution; ``unpublished`` for a part file.
        target: Class that built it.
        options: As it was built, defaults included.
        sha256: Hash of a part file; None for a distribution.
        weights: The part's own ``weights:`` entry.
    """

    path: str
    kind: str
    name: str
    contract: int
    distribution: str
    version: str
    target: str
    options: Mapping[str, Any]
    sha256: str | None = None
    weights: str | None = None

    @property
    def provider(self) -> str:
        """``plm-gated-pool 0.3.1``."""
        return f"{self.distribution} {self.version}"


@dataclass(frozen=True)
class LockedWeights:
    """The tensors saved beside the lock.

    Args:
        sha256: Over the tensor files, hexadecimal.
        num_bytes: Of the tensor files.
        num_tensors: In all.
        dtype: Of the model they were saved from.
        origins: Where they came from, part by part.
    """

    sha256: str
    num_bytes: int
    num_tensors: int
    dtype: str
    origins: Receipt


@dataclass(frozen=True)
class Lock:
    """Provenance of a variant.

    Args:
        parts: Every part of the spec, nested ones included.
        weights: What lies beside the lock; None for a variant that was not saved.
        spec_weights: The spec's ``weights:`` entry.
        processor: Its ``processor:`` entry, defaults included.
    """

    parts: tuple[LockedPart, ...]
    weights: LockedWeights | None = None
    spec_weights: str | None = None
    processor: Mapping[str, Any] = field(default_factory=default_processor)

    def with_weights(self, weights: LockedWeights) -> Lock:
        """The lock of a variant whose tensors lie beside it."""
        return replace(self, weights=weights)

    def to_json(self) -> str:
        """JSON with sorted keys, so that equal locks are equal texts."""
        data: dict[str, Any] = {"plm_lock": FORMAT, **asdict(self)}
        if self.weights is not None:
            data["weights"]["origins"] = self.weights.origins.to_list()
        return json.dumps(data, indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str, *, where: str) -> Lock:
        """Reads a lock.

        Args:
            text: What ``to_json`` wrote.
            where: The file, for messages.

        Raises:
            CheckpointError: it is no lock, or one of a newer format.
        """
        try:
            data = parse_json(text)
            found = data.pop("plm_lock")
            if type(found) is int and found == FORMAT:
                return _lock_from(**data)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            why = shown(f"{type(error).__name__}: {error}")
            raise unreadable_lock(why, where=where) from error
        raise CheckpointError(
            f"The lock is of format {shown(found)}.",
            where=where,
            expected=f"format {FORMAT}",
            fix="use the version of plm-components that wrote it, or a newer one",
        )


def lock_of(tree: SpecTree) -> Lock:
    """The lock of a resolved spec."""
    parts = tuple(_locked(part) for part in all_parts(tree))
    return Lock(parts, spec_weights=tree.weights, processor=tree.processor)


def compare(lock: Lock, now: Lock) -> list[str]:
    """What differs between a saved lock and what is installed now, in words.

    Args:
        lock: As saved.
        now: Of the same spec, resolved here.
    """
    here = {part.path: part for part in now.parts}
    there = {part.path: part for part in lock.parts}
    words = [f"{path} is not in the spec any more" for path in there if path not in here]
    words += [f"{path} was not there" for path in here if path not in there]
    for path, saved in there.items():
        if path in here:
            words += _differences(saved, here[path])
    return words + list(_changed("processor", lock.processor, now.processor))


def require_installed(lock: Lock, zoo: Zoo) -> None:
    """Refuses a variant whose parts are not all registered here.

    Raises:
        PluginError: a part is missing; says what to install.
    """
    missing = [part for part in lock.parts if not _is_registered(part, zoo)]
    if not missing:
        return
    named = "; ".join(f"{part.path}: {part.kind}/{part.name}" for part in missing)
    raise PluginError(
        f"Parts of this variant are not installed: {named}.",
        where=", ".join(dict.fromkeys(part.path for part in missing)),
        expected=", ".join(dict.fromkeys(part.provider for part in missing)),
        fix=" and ".join(dict.fromkeys(_how_to_get(part) for part in missing)),
    )


def _is_registered(part: LockedPart, zoo: Zoo) -> bool:
    try:
        zoo.get(part.kind, part.name)
    except LookupError:
        return False
    except PlmError:
        return True  # two providers of one name: resolving the spec says so
    return True


def _how_to_get(part: LockedPart) -> str:
    if part.sha256 is not None:
        return f"offer the part file {part.distribution} (sha256 {part.sha256[:12]}) as a plugin"
    return f"pip install {part.distribution}=={part.version}"


def _differences(saved: LockedPart, here: LockedPart) -> Iterator[str]:
    if (saved.kind, saved.name) != (here.kind, here.name):
        yield f"{saved.path} was {saved.kind}/{saved.name}, is {here.kind}/{here.name}"
        return
    if saved.distribution != here.distribution:
        yield f"{saved.path} came from {saved.provider}, comes from {here.provider}"
    elif saved.version != here.version or saved.sha256 != here.sha256:
        yield f"{saved.path} came from {_exactly(saved)}, comes from {_exactly(here)}"
    if saved.contract != here.contract:
        yield f"{saved.path} spoke contract {saved.contract}, speaks {here.contract}"
    yield from _changed(saved.path, saved.options, here.options)


def _changed(path: str, saved: Mapping[str, Any], here: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted({*saved, *here}):
        before, after = saved.get(name), here.get(name)
        if before != after:
            yield f"{path}.{name} was {before!r}, is {after!r}"


def _exactly(part: LockedPart) -> str:
    return part.provider if part.sha256 is None else f"{part.provider} ({part.sha256[:12]})"


def _locked(part: Part) -> LockedPart:
    component, provider = part.entry.component, part.entry.provider
    return LockedPart(
        path=part.path,
        kind=part.kind,
        name=part.entry.name,
        contract=component.contract,
        distribution=provider.distribution,
        version=provider.version,
        target=component.target,
        options={name: _plain(value) for name, value in part.options.items()},
        sha256=provider.sha256,
        weights=part.weights,
    )


def _plain(value: Any) -> Any:
    """An option as JSON will give it back."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, PurePath):
        return str(value)
    return value.name if isinstance(value, Enum) else value


def _lock_from(
    *,
    parts: list[dict[str, Any]],
    weights: dict[str, Any] | None = None,
    spec_weights: str | None = None,
    processor: dict[str, Any] | None = None,
) -> Lock:
    locked = None
    if weights is not None:
        origins = Receipt.from_list(weights["origins"])
        locked = _typed(LockedWeights(**{**weights, "origins": origins}))
        if locked.dtype not in DTYPES:
            raise ValueError(f"there is no dtype {locked.dtype!r}")
    listed = tuple(_typed(LockedPart(**part)) for part in parts)
    if len({part.path for part in listed}) != len(listed):
        raise ValueError("a part stands in it twice")
    # locks from before there was the entry have none
    options = {**default_processor(), **({} if processor is None else processor)}
    return _typed(Lock(listed, locked, spec_weights, options))


def _typed(read: _Read) -> _Read:
    """What was read from JSON, if every field has the type it is declared with."""
    for name, hint in get_type_hints(type(read)).items():
        kind = hint if isinstance(hint, UnionType) else get_origin(hint) or hint
        if not isinstance(getattr(read, name), kind):
            raise TypeError(f"{name} is {getattr(read, name)!r}")
    return read
