"""The licence of weights, where a model card beside them states it; nothing is guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from plm_components.checkpoints.hub import cached_file, is_hub_id
from plm_components.errors import SpecError
from plm_components.spec import parse_yaml
from plm_components.untrusted import require_regular, shown

MODEL_CARD = "README.md"
# of the beginning of a card; the longest front matter lists some hundred data sets
MAX_BYTES = 64 * 1024
_FENCE = "---"
_MAX_SHOWN = 100


def license_of_weights(place: str, *, relative_to: Path | None = None) -> str | None:
    """What the card of a directory of weights, or of a cached hub repository, states.

    Args:
        place: A directory or a hub id; nothing is fetched.
        relative_to: Where a relative directory starts; the working directory if None.

    Returns:
        ``license`` of the front matter; the card's name for it where that is ``other``; None where
        there is no card, or it is unclear or silent.
    """
    directory = (relative_to or Path()) / place
    if not directory.is_dir() and is_hub_id(place):
        card = cached_file(place, MODEL_CARD)
        return None if card is None else stated_license(card)
    return stated_license(directory / MODEL_CARD)


def stated_license(card: Path) -> str | None:
    """The licence in the front matter of a model card; see :func:`license_of_weights`."""
    said = _front_matter(card)
    names = said.get("license")
    if names == "other" and said.get("license_name"):
        names = said["license_name"]
    listed = names if isinstance(names, list) else [names]
    stated = [name.strip() for name in listed if isinstance(name, str) and name.strip()]
    if not stated or len(stated) < len(listed):
        return None
    return shown(", ".join(stated), _MAX_SHOWN)


def _front_matter(card: Path) -> dict[str, Any]:
    """The YAML between the two fences at the top; empty where there is none that can be read."""
    try:
        require_regular(card)
        with card.open("rb") as stream:
            head = stream.read(MAX_BYTES)
        # the last character may be cut in two
        lines = head.decode("utf-8-sig", errors="ignore").splitlines()
        if not lines or lines[0].rstrip() != _FENCE:
            return {}
        end = next(n for n, line in enumerate(lines[1:], start=1) if line.rstrip() == _FENCE)
        said = parse_yaml("\n".join(lines[1:end]), str(card))
    except (OSError, ValueError, StopIteration, SpecError):
        return {}
    return said if isinstance(said, dict) else {}
