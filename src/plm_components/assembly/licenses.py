"""Under which licences the parts of a composition come: of their code, and of their weights."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from plm_components.assembly.check import zoo_with
from plm_components.assembly.filling import PASSED_THROUGH
from plm_components.assembly.lock import Lock, LockedPart, lock_of
from plm_components.assembly.weights_licenses import weights_licenses
from plm_components.checkpoints import LOCK_FILE, read_lock_text, read_published
from plm_components.errors import UsageError
from plm_components.spec import load_spec, resolve, spec_folder, spec_name
from plm_components.untrusted import expanded
from plm_components.zoo import NOT_STATED, OURS, Zoo

# as licences call themselves: CC-BY-NC-4.0, PolyForm-Noncommercial-1.0.0
_NON_COMMERCIAL = re.compile(r"non-?\s?commercial|(?<![a-z])nc(?![a-z])", re.IGNORECASE)


@dataclass(frozen=True)
class PartLicenses:
    """Of one part.

    Args:
        path: Its path in the spec.
        address: ``kind/name``.
        provider: Its distribution and version.
        code: Of its code; ``not stated`` where nothing states it.
        weights: Of its weights; None where it has none, or the spec names none.
    """

    path: str
    address: str
    provider: str
    code: str
    weights: str | None


@dataclass(frozen=True)
class Licenses:
    """The licences of a composition, part by part."""

    parts: tuple[PartLicenses, ...]

    @property
    def not_stated(self) -> tuple[str, ...]:
        """``code of projector``: what nobody states a licence for."""
        return tuple(what for what, said in self._all() if said == NOT_STATED)

    @property
    def non_commercial(self) -> tuple[str, ...]:
        """``weights of decoder (cc-by-nc-4.0)``: what is marked so by its licence's own name."""
        marked = ((what, said) for what, said in self._all() if _NON_COMMERCIAL.search(said))
        return tuple(f"{what} ({said})" for what, said in marked)

    @property
    def summary(self) -> str:
        """One line that names what is not stated, and what is marked non-commercial."""
        stated = ", ".join(self.not_stated) or "nothing"
        marked = ", ".join(self.non_commercial) or "nothing"
        return f"not stated: {stated}; marked non-commercial: {marked}"

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "parts": [asdict(part) for part in self.parts],
            "not_stated": list(self.not_stated),
            "non_commercial": list(self.non_commercial),
        }

    def _all(self) -> Iterator[tuple[str, str]]:
        for part in self.parts:
            yield f"code of {part.path}", part.code
            if part.weights is not None:
                yield f"weights of {part.path}", part.weights


def licenses(
    spec: str | Path | Mapping[str, Any],
    overrides: Sequence[str] = (),
    *,
    zoo: Zoo | None = None,
    plugins: Iterable[str | Path] = (),
) -> Licenses:
    """The licences of a composition, as metadata and model cards state them; nothing is fetched.

    Args:
        spec: A spec's name, a path, a mapping, or the directory of a saved or published variant.
        overrides: Edits such as ``decoder.weights=hf:./llama``.
        zoo: Where parts are looked up; the default zoo if None.
        plugins: Part files to offer beside the zoo, for this call.

    Raises:
        PlmError: what is no spec, or no variant.
        UsageError: a directory with overrides.
    """
    directory = _directory(spec)
    if directory is None:
        where_from = zoo_with(zoo, plugins)
        data = load_spec(spec, overrides, zoo=where_from)
        tree = resolve(data, where_from, name=spec_name(spec))
        lock = lock_of(tree).with_weights_licenses(weights_licenses(tree, spec_folder(spec)))
        return _licenses_of(lock)
    if overrides:
        raise UsageError(
            "A variant's directory takes no overrides: its weights belong to its spec.",
            where=str(directory),
            expected="overrides behind a spec only",
            fix="leave them out",
        )
    published = read_published(directory)
    if published is not None:
        where_from = zoo_with(zoo, plugins)
        return licenses(load_spec(published.spec, zoo=where_from, by=OURS), zoo=where_from)
    return _licenses_of(Lock.from_json(read_lock_text(directory), where=str(directory / LOCK_FILE)))


def _licenses_of(lock: Lock) -> Licenses:
    return Licenses(tuple(_of_part(part, lock) for part in lock.parts))


def _of_part(part: LockedPart, lock: Lock) -> PartLicenses:
    weights = part.weights_license
    if weights is None and lock.weights is not None and part.path in PASSED_THROUGH:
        weights = NOT_STATED  # a lock from before this was recorded
    address = f"{part.kind}/{part.name}"
    return PartLicenses(part.path, address, part.provider, part.code_license, weights)


def _directory(spec: str | Path | Mapping[str, Any]) -> Path | None:
    """The directory a user means: by the rule of specs, a bare name is one of a spec."""
    if not isinstance(spec, str | Path):
        return None
    bare = isinstance(spec, str) and "/" not in spec and "\\" not in spec and spec[:1] != "."
    return None if bare or not expanded(spec).is_dir() else expanded(spec)
