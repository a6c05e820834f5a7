"""How a part is built small enough to test: its defaults, or the examples its package ships.

A package declares examples in ``conformance.yaml`` at its top, beside ``__init__.py``; a part that
is one file, in ``<file>.conformance.yaml`` beside it: under each address one or more named sets of
options, spelt as in a spec. Wired arguments may be given too. ``{}`` for an address says that no
example can be built without files that the package does not ship.

.. code-block:: yaml

    projector/gated_pool:
      pool 2: {pool: 2}
      wide: {pool: 4, in_dim: 128}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plm_components.errors import PluginError
from plm_components.zoo.kinds import KINDS

if TYPE_CHECKING:
    from plm_components.zoo import Entry

# what the assembler would wire, at the size of a test
SMALL_WIRING: dict[str, object] = {
    "in_dim": 48,
    "out_dim": 64,
    "dim": 64,
    "layer_index": 0,
    "num_heads": 4,
    "num_kv_heads": 2,
    "head_dim": 16,
    "tile_size": 32,
}


@dataclass(frozen=True)
class Case:
    """One example of a part.

    Args:
        name: Stands in test ids and reports.
        options: As in a slot of a spec, without ``type``.
        wired: Wired arguments that must differ from the kit's small ones.
    """

    name: str = "defaults"
    options: Mapping[str, Any] = field(default_factory=dict)
    wired: Mapping[str, Any] = field(default_factory=dict)


def cases_of(entry: Entry) -> list[Case]:
    """The examples that an entry's package declares, or its defaults.

    Raises:
        PluginError: the file of examples is malformed.
    """
    path = _examples_file(entry.component.target.partition(":")[0])
    if path is None:
        return [Case()]
    named = _read(path).get(entry.address)
    if named is None:
        return [Case()]
    return [_case(path, entry, name, values) for name, values in _mapping(path, named).items()]


def _case(path: Path, entry: Entry, name: str, values: object) -> Case:
    given = _mapping(path, values)
    wired = KINDS[entry.kind].wired
    return Case(
        str(name),
        {key: value for key, value in given.items() if key not in wired},
        {key: value for key, value in given.items() if key in wired},
    )


def _examples_file(module: str) -> Path | None:
    """Beside the top package; found without importing it."""
    try:
        spec = find_spec(module.partition(".")[0])
    except ValueError:  # a module made by hand, from no file
        return None
    if spec is None or spec.origin is None:
        return None
    origin = Path(spec.origin)
    alone = spec.submodule_search_locations is None
    name = f"{origin.stem}.conformance.yaml" if alone else "conformance.yaml"
    path = origin.with_name(name)
    return path if path.is_file() else None


def _read(path: Path) -> Mapping[str, Any]:
    import yaml  # omegaconf's own dependency; not needed to list parts

    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise _malformed(path, f"it is no YAML: {error}") from error
    return _mapping(path, data)


def _mapping(path: Path, value: object) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    raise _malformed(path, f"{value!r} stands where a mapping should")


def _malformed(path: Path, why: str) -> PluginError:
    return PluginError(
        f"The examples for the conformance kit cannot be read: {why}.",
        where=str(path),
        expected="address -> name of an example -> options, as in a spec",
        fix="projector/my_part: {small: {pool: 2}}",
    )
