"""The lock: which distribution and version built each part, whose weights are in it, and under
which licences.

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
from plm_components.errors import CheckpointError
from plm_components.spec import Part, SpecTree, default_processor
from plm_components.untrusted import parse_json, shown
from plm_components.zoo import NOT_STATED, Provider, code_license

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
        entry_point: Of the plugin that registered it; None for ours and for a part file.
        code_license: As the distribution's metadata state it.
        weights_license: Of the tensors of a slot, as where they come from states it; None for a
            part that holds none.
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
    # locks from before there were these have none
    entry_point: str | None = None
    code_license: str = NOT_STATED
    weights_license: str | None = None

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

    def with_weights_licenses(self, stated: Mapping[str, str]) -> Lock:
        """The lock with the licence of the tensors of each slot.

        Args:
            stated: By slot.
        """
        parts = (replace(part, weights_license=stated.get(part.path)) for part in self.parts)
        return replace(self, parts=tuple(parts))

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
    found = list(all_parts(tree))
    # metadata are long, and most parts are of one distribution
    licenses = {provider: code_license(provider) for provider in {p.entry.provider for p in found}}
    parts = tuple(_locked(part, licenses) for part in found)
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


def _differences(saved: LockedPart, here: LockedPart) -> Iterator[str]:
    if (saved.kind, saved.name) != (here.kind, here.name):
        yield f"{saved.path} was {saved.kind}/{saved.name}, is {here.kind}/{here.name}"
        return
    if saved.sha256 is not None and saved.sha256 == here.sha256:
        pass  # the same part file, wherever it lies
    elif saved.distribution != here.distribution:
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


def _locked(part: Part, licenses: Mapping[Provider, str]) -> LockedPart:
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
        entry_point=part.entry.entry_point,
        code_license=licenses[provider],
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
