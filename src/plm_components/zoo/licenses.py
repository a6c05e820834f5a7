"""The licence of a part's code, as its distribution's metadata state it; nothing is guessed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, metadata

from plm_components.untrusted import shown
from plm_components.zoo.component import UNPUBLISHED, Provider

NOT_STATED = "not stated"
# what packaging tools wrote where an author said nothing
_NOTHING = ("", "unknown", "none")
_CLASSIFIER = "License ::"
# a heading that holds licences and is none
_HEADINGS = ("OSI Approved",)
_MAX_SHOWN = 100


def code_license(provider: Provider) -> str:
    """``License-Expression``, else ``License``, else the classifiers, else ``not stated``.

    Args:
        provider: A distribution, which need not be installed, or a part file, which has no licence
            of its own to show.
    """
    if provider.version == UNPUBLISHED:
        return NOT_STATED
    try:
        said = metadata(provider.distribution)
        fields = [*(said.get_all("License-Expression") or []), *(said.get_all("License") or [])]
        classified = said.get_all("Classifier") or []
    except (PackageNotFoundError, OSError, ValueError):  # metadata are whatever someone wrote
        return NOT_STATED
    stated = [_first_line(field) for field in (*fields, _from_classifiers(classified))]
    return next((text for text in stated if text.lower() not in _NOTHING), NOT_STATED)


def _first_line(field: str) -> str:
    # some put the whole text of a licence here; its first line is its name
    lines = field.strip().splitlines()
    return shown(lines[0].strip(), _MAX_SHOWN) if lines else ""


def _from_classifiers(classifiers: list[str]) -> str:
    stated = [one.rpartition("::")[2].strip() for one in classifiers if one.startswith(_CLASSIFIER)]
    return ", ".join(name for name in stated if name not in _HEADINGS)
