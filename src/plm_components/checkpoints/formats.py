"""What kind of checkpoint a directory is, from the files that are in it."""

from __future__ import annotations

from pathlib import Path

from plm_components.checkpoints.directory import SPEC_FILE
from plm_components.checkpoints.hf_plm import CONFIG_FILE, read_hf
from plm_components.checkpoints.hub import hub_directory, is_hub_id
from plm_components.checkpoints.original_plm import PARAMS_FILE, read_original
from plm_components.checkpoints.published import Published
from plm_components.errors import CheckpointError

_READERS = {CONFIG_FILE: read_hf, PARAMS_FILE: read_original}


def read_published(path: str | Path) -> Published | None:
    """What a directory of another format says of itself; None where it is one of ours, or none.

    Args:
        path: A directory, or a hub id (``facebook/Perception-LM-1B``).

    Raises:
        CheckpointError: two formats at once, a file that cannot be read, a hub out of reach.
        UnsupportedError: a model that our parts cannot express, with the reason.
    """
    text = str(path)
    if isinstance(path, str) and is_hub_id(path):
        return read_hf(hub_directory(path), path)
    directory = Path(text).expanduser()
    if (directory / SPEC_FILE).is_file():
        return None
    found = [name for name in _READERS if (directory / name).is_file()]
    if len(found) > 1:
        raise CheckpointError(
            f"The directory is of two formats: it holds {' and '.join(found)}.",
            where=str(directory),
            expected=f"{CONFIG_FILE} (Hugging Face) or {PARAMS_FILE} (original)",
            fix="put the files of each into a directory of their own",
        )
    if not found:
        return None
    return _READERS[found[0]](directory, str(directory.resolve()))
