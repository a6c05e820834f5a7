"""The folder of a demo: an earlier demo is drawn over, and nobody else's file ever is."""

from __future__ import annotations

import os
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from plm_components.errors import UsageError

IMAGE, VIDEO, SHEET = "image.png", "video.mp4", "demo.png"
_KEY, _OURS = "Software", "plm demo"


def signed() -> PngInfo:
    """What a PNG of the demo says of itself, to be known again."""
    info = PngInfo()
    info.add_text(_KEY, _OURS)
    return info


def require_ours(folder: Path) -> None:
    """Refuses a folder in which a file would be replaced that no demo drew.

    The clip cannot sign: it is ours where the picture beside it, which is drawn before it, is.

    Raises:
        UsageError: there is such a file; names it.
    """
    for name, witness in ((IMAGE, IMAGE), (VIDEO, IMAGE), (SHEET, SHEET)):
        if os.path.lexists(folder / name) and not _is_signed(folder / witness):
            raise UsageError(
                "A file that no demo drew has the name of one that it would draw.",
                where=str(folder / name),
                expected="a new folder, an earlier demo's, or one without "
                f"{IMAGE}, {VIDEO}, {SHEET}",
                fix="choose another folder: plm demo --out FOLDER",
            )


def _is_signed(file: Path) -> bool:
    if not file.is_file():  # a pipe would be waited for
        return False
    try:
        with Image.open(file, formats=["PNG"]) as picture:
            return picture.info.get(_KEY) == _OURS
    # decoders raise anything on the bytes of others
    except Exception:
        return False
