"""What a ``weights:`` entry of one part means, and what the checkpoint it names turns out to be.

The kind says whose layout to expect, the checkpoint says what it is: a configuration and a header
that contradict the kind, or each other, are refused with their own words, never by their path.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from plm_components.checkpoints.directory import LOCK_FILE, SPEC_FILE
from plm_components.checkpoints.hub import hub_directory, is_hub_id
from plm_components.checkpoints.origins import Origin, open_origin
from plm_components.checkpoints.settings import read_json
from plm_components.checkpoints.tensor_files import StoredTensors, open_file, open_tensors
from plm_components.contracts import CheckpointHeader
from plm_components.errors import CheckpointError, SpecError

CONFIG_FILE = "config.json"
PART_KINDS = ("hf", "timm", "plm", "package")
READABLE_FOR_PARTS = (
    "hf:<directory or hub id> (transformers), timm:<directory, hub id or .safetensors file>, "
    "plm:<directory> (a saved variant, or a PerceptionLM) or package:<name>"
)
_KINDS = {
    "hf": 'a transformers directory, whose config.json names a "model_type"',
    "timm": 'a timm checkpoint, whose config.json, if there is one, names an "architecture"',
}


@dataclass(frozen=True)
class OpenedPart:
    """A checkpoint of which one part is wanted; headers are read, weights are not.

    Args:
        stored: Its tensors, all of them.
        header: What it says of itself; None for a variant of ours, which has a lock instead.
    """

    stored: StoredTensors
    header: CheckpointHeader | None


def parse_part_origin(text: str, *, where: str) -> Origin:
    """Reads the ``weights:`` entry of a part.

    Args:
        text: As it stands in the spec.
        where: Its path in the spec (``projector.weights``), for messages.

    Raises:
        SpecError: no such kind of weights.
    """
    kind, _, rest = text.partition(":")
    if kind not in PART_KINDS or not rest or "\0" in rest:
        raise SpecError(
            f"{text!r} names no weights.",
            where=where,
            expected=READABLE_FOR_PARTS,
            fix="say the kind first: hf: before a transformers directory, timm: before a timm file",
        )
    return Origin(kind, rest)


def open_part(origin: Origin, *, relative_to: Path | None = None) -> OpenedPart:
    """Opens the checkpoint a part's entry names; reads headers only.

    Args:
        origin: What to open.
        relative_to: Directory that a relative path starts from; the working directory if None.

    Raises:
        CheckpointError: nothing there, nothing that can be read, or another kind than said.
    """
    match origin.kind:
        case "package":
            return OpenedPart(open_origin(origin), None)
        case "plm":
            return _open_plm(origin, relative_to)
        case "timm":
            return _open_foreign(origin, "timm", relative_to)
        case _:
            return _open_foreign(origin, "hf", relative_to)


def _open_plm(origin: Origin, relative_to: Path | None) -> OpenedPart:
    directory = (relative_to or Path()) / Path(origin.rest).expanduser()
    ours = (directory / SPEC_FILE).is_file() or (directory / LOCK_FILE).is_file()
    if not ours and (directory / CONFIG_FILE).is_file():
        opened = _open_foreign(origin, "hf", relative_to)
        if opened.header is not None and opened.header.model_type == "perception_lm":
            return opened
        raise CheckpointError(
            f"This is {opened.header}, not a PerceptionLM.",
            where=str(directory),
            expected="a directory that Variant.save wrote, or a PerceptionLM of transformers",
            fix=f"write hf:{origin.rest}",
        )
    return OpenedPart(open_origin(origin, relative_to=relative_to), None)


def _open_foreign(
    origin: Origin, kind: Literal["hf", "timm"], relative_to: Path | None
) -> OpenedPart:
    path = (relative_to or Path()) / Path(origin.rest).expanduser()
    if kind == "timm" and path.is_file():
        stored = open_file(path, str(origin))
        # beside a file it may belong to something else: only an architecture makes it the file's
        config = _config(path.parent / CONFIG_FILE) if path.parent != Path() else {}
        config = config if config.get("architecture") else {}
    else:
        directory = _directory(origin, path)
        config = _config(directory / CONFIG_FILE)
        _require_kind(kind, config, directory, origin)
        stored = open_tensors(directory, str(origin))
    return OpenedPart(stored, CheckpointHeader(kind, config, stored.shapes))


def _directory(origin: Origin, path: Path) -> Path:
    if path.is_dir():
        return path
    if not path.exists() and is_hub_id(origin.rest):
        return hub_directory(origin.rest)
    raise CheckpointError(
        "This is a file." if path.exists() else "There is no such directory of weights.",
        where=str(path),
        expected="a directory with config.json and safetensors, or the id of one on the hub",
        fix="check the path; a relative one starts at the spec's file",
    )


def _require_kind(kind: str, config: dict[str, Any], directory: Path, origin: Origin) -> None:
    transformers, timm = config.get("model_type"), config.get("architecture")
    if (kind == "hf" and transformers) or (kind == "timm" and not transformers):
        return
    if kind == "timm":
        what = f"This is a transformers directory, of a {transformers}."
        fix = f"write hf:{origin.rest}"
    elif timm and not transformers:
        what = f"This is a timm checkpoint, of {timm}."
        fix = f"write timm:{origin.rest}"
    elif not (directory / CONFIG_FILE).is_file():
        what, fix = "There is no config.json, so nothing says what this is.", "check the path"
    else:
        what, fix = "Its config.json names no model_type.", "check the path"
    raise CheckpointError(what, where=str(directory), expected=_KINDS[kind], fix=fix)


def _config(path: Path) -> dict[str, Any]:
    """What a config.json says, whatever its kind; empty where there is none."""
    return read_json(path) if path.is_file() else {}
