"""A directory of this machine, or the snapshot of a hub repository: weights and configuration."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from plm_components.errors import CheckpointError

_WANTED = ["config.json", "*.safetensors", "*.safetensors.index.json"]


def local_directory(rest: str, relative_to: Path | None) -> Path:
    """The directory that an entry names: one of this machine, else a hub id.

    Args:
        rest: What stands behind the kind: a path, or ``owner/name``.
        relative_to: Where a relative path starts; the working directory if None.

    Raises:
        CheckpointError: neither, or the hub cannot be reached and nothing is cached.
    """
    directory = (relative_to or Path()) / Path(rest).expanduser()
    if directory.is_dir():
        return directory
    if directory.exists() or rest.startswith((".", "/", "~")) or rest.count("/") != 1:
        raise _nothing(directory, "There is no such directory of weights.")
    try:
        return Path(snapshot_download(rest, allow_patterns=_WANTED))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = " ".join(str(error).split())
        raise _nothing(
            directory, f"There is no directory {rest}, and the hub says: {reason}."
        ) from (error)


def _nothing(directory: Path, what: str) -> CheckpointError:
    return CheckpointError(
        what.replace("..", "."),
        where=str(directory),
        expected="a directory with config.json and safetensors, or the id of one on the hub",
        fix="check the path; relative ones start at the spec's file",
    )
