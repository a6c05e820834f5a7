"""Where a directory of weights is: here, or a repository of the Hugging Face hub."""

from __future__ import annotations

import re
from pathlib import Path

from plm_components.errors import CheckpointError

# an owner and a name; a path that is here, or begins as one, is never a hub id
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
# what a PerceptionLM is made of, and the card that states its licence; the original's directory
# inside is downloaded by nobody
_WANTED = ("*.json", "*.safetensors", "*.jinja", "README.md")
_UNWANTED = ("original/*",)


def is_hub_id(text: str) -> bool:
    """Whether a text names a repository: ``owner/name``, and no directory of that name is here."""
    begins_here = text.startswith((".", "/", "~"))
    return not begins_here and _HUB_ID.fullmatch(text) is not None and not Path(text).exists()


def cached_file(repository: str, name: str) -> Path | None:
    """A file of a repository where the cache has it; nothing is fetched."""
    from huggingface_hub import try_to_load_from_cache

    try:
        found = try_to_load_from_cache(repository, name)
    except ValueError:  # a name that no repository can have
        return None
    return Path(found) if isinstance(found, str) else None


def hub_directory(repository: str) -> Path:
    """The files of a repository, from the cache or the network.

    Raises:
        CheckpointError: it cannot be had.
    """
    from huggingface_hub import snapshot_download

    try:
        found = snapshot_download(
            repository, allow_patterns=list(_WANTED), ignore_patterns=list(_UNWANTED)
        )
    # the hub's client raises its own errors, the network's, and OSError
    except Exception as error:
        first_line = (str(error).splitlines() or [""])[0]
        raise CheckpointError(
            f"The weights cannot be fetched ({type(error).__name__}: {first_line}).",
            where=repository,
            expected="a directory here, or a hub repository within reach",
            fix=f"check the name and the network (and hf auth login, if it is gated), or fetch it "
            f"elsewhere and load the directory: hf download {repository}",
        ) from error
    return Path(found)
