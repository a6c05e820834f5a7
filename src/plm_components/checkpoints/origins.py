"""What a ``weights:`` entry of a spec means: ``<kind>:<rest>``, never guessed from a path."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import NoReturn

from plm_components.checkpoints.tensor_files import StoredTensors, open_tensors
from plm_components.errors import CheckpointError, SpecError, UnsupportedError

READABLE = "package:<name> (weights inside this package) or plm:<directory> (saved by Variant.save)"
_NOT_YET = ("hf", "original")


@dataclass(frozen=True)
class Origin:
    """A parsed ``weights:`` entry.

    Args:
        kind: ``package`` or ``plm``.
        rest: A name of the package's weights, or a directory.
    """

    kind: str
    rest: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.rest}"


def parse_origin(text: str, *, where: str) -> Origin:
    """Reads a ``weights:`` entry.

    Args:
        text: As it stands in the spec.
        where: Its path in the spec (``weights``, ``projector.weights``), for messages.

    Raises:
        SpecError: no such kind of weights.
        UnsupportedError: a kind this version cannot read.
    """
    kind, colon, rest = text.partition(":")
    if kind in _NOT_YET and colon:
        raise UnsupportedError(
            f"This version cannot read {kind}: weights.",
            where=f"{where}: {text}",
            expected=READABLE,
            fix="set weights to one of these, or to null and say init='random'",
        )
    if kind not in ("package", "plm") or not rest:
        raise SpecError(
            f"{text!r} names no weights.",
            where=where,
            expected=READABLE,
            fix="say the kind first: plm: before a directory, package: before a name",
        )
    return Origin(kind, rest)


def open_origin(origin: Origin, *, relative_to: Path | None = None) -> StoredTensors:
    """Opens the tensors an entry names; reads headers only.

    Args:
        origin: What to open.
        relative_to: Directory that a relative ``plm:`` path starts from; the working directory if
            None.

    Raises:
        CheckpointError: nothing there, or nothing that can be read.
    """
    if origin.kind == "package":
        return open_tensors(packaged_weights(origin.rest), str(origin))
    directory = (relative_to or Path()) / Path(origin.rest).expanduser()
    if not directory.is_dir():
        raise CheckpointError(
            "There is no such directory of weights.",
            where=str(directory),
            expected="a directory that Variant.save wrote",
            fix="check the path in weights: plm:<directory>",
        )
    return open_tensors(directory, f"plm:{directory}")


def packaged_weights(name: str) -> Path:
    """The directory of weights that ship inside this package.

    Raises:
        CheckpointError: no weights of this name; the message lists what ships.
    """
    home = Path(str(resources.files("plm_components") / "weights"))
    shipped = sorted(path.name for path in home.glob("*") if path.is_dir()) if home.is_dir() else []
    if name not in shipped:
        _no_packaged(name, [entry for entry in shipped if not entry.startswith("_")])
    return home / name


def _no_packaged(name: str, shipped: list[str]) -> NoReturn:
    raise CheckpointError(
        f"No weights {name!r} ship with this package.",
        where=f"weights: package:{name}",
        expected=f"one of: {', '.join(shipped)}" if shipped else "weights inside the package",
        fix="choose one of these, or weights: null with init='random'",
    )
