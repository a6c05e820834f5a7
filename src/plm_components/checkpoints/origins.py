"""What a ``weights:`` entry of a spec means: ``<kind>:<rest>``, never guessed from a path."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import NoReturn

from plm_components.checkpoints.hf_plm import open_hf
from plm_components.checkpoints.hub import hub_directory, is_hub_id
from plm_components.checkpoints.original_plm import open_original
from plm_components.checkpoints.plm_sizes import PLMSizes
from plm_components.checkpoints.renamed import RenamedTensors
from plm_components.checkpoints.tensor_files import StoredTensors, open_tensors
from plm_components.errors import CheckpointError, SpecError
from plm_components.untrusted import expanded

READABLE = (
    "package:<name> (weights inside this package), plm:<directory> (saved by Variant.save), "
    "hf:<directory or hub id> or original:<directory> (a PerceptionLM as published)"
)
# formats with names of their own; the others have ours
PUBLISHED = ("hf", "original")
_KINDS = ("package", "plm", *PUBLISHED)


@dataclass(frozen=True)
class Origin:
    """A parsed ``weights:`` entry.

    Args:
        kind: ``package``, ``plm``, ``hf`` or ``original``.
        rest: A name of the package's weights, a directory, or for ``hf`` a hub id.
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
    """
    kind, _, rest = text.partition(":")
    if kind not in _KINDS or not rest:
        raise SpecError(
            f"{text!r} names no weights.",
            where=where,
            expected=READABLE,
            fix="say the kind first: plm:, hf: or original: before a directory, package: before a "
            "name",
        )
    return Origin(kind, rest)


def open_origin(origin: Origin, *, relative_to: Path | None = None) -> StoredTensors:
    """Opens tensors that have our names; reads headers only.

    Args:
        origin: What to open, of kind ``package`` or ``plm``.
        relative_to: Directory that a relative path starts from; the working directory if None.

    Raises:
        CheckpointError: nothing there, or nothing that can be read.
    """
    if origin.kind == "package":
        return open_tensors(packaged_weights(origin.rest), str(origin))
    directory = _directory(origin, relative_to)
    return open_tensors(directory, f"plm:{directory}")


def open_published(
    origin: Origin, sizes: PLMSizes, *, relative_to: Path | None = None
) -> RenamedTensors:
    """Opens the tensors of a published PerceptionLM under our names; reads headers only.

    Args:
        origin: What to open, of kind ``hf`` or ``original``.
        sizes: Of the model that wants them.
        relative_to: Directory that a relative path starts from; the working directory if None.

    Raises:
        CheckpointError: nothing there, or nothing that can be read.
    """
    if origin.kind == "hf":
        if is_hub_id(origin.rest) and not ((relative_to or Path()) / origin.rest).is_dir():
            return open_hf(hub_directory(origin.rest), str(origin), sizes)
        directory = _directory(origin, relative_to)
        return open_hf(directory, f"hf:{directory}", sizes)
    directory = _directory(origin, relative_to)
    return open_original(directory, f"original:{directory}", sizes)


def _directory(origin: Origin, relative_to: Path | None) -> Path:
    directory = (relative_to or Path()) / expanded(origin.rest)
    if not directory.is_dir():
        wanted = "that Variant.save wrote" if origin.kind == "plm" else "of published weights"
        raise CheckpointError(
            "There is no such directory of weights.",
            where=str(directory),
            expected=f"a directory {wanted}",
            fix=f"check the path in weights: {origin.kind}:<directory>",
        )
    return directory


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
