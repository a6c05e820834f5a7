"""Where a drawing goes: looked at before anything is computed, written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from plm_components.atomic import atomic_file
from plm_components.errors import MediaError, UsageError

_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}


def picture_target(
    path: str | Path, *, overwrite: bool = False, sources: Iterable[Path] = ()
) -> Path:
    """A path that a picture can be written to.

    Args:
        path: Of the file.
        overwrite: Whether a file may be replaced.
        sources: Files that may not be, whatever is said.

    Raises:
        UsageError: another file format, something stands there, or the folder takes no file.
    """
    target = Path(path).expanduser()
    if target.suffix.lower() not in _FORMATS:
        what = f"A picture cannot be written as {target.name!r}."
        expected = f"a name that ends in {', '.join(_FORMATS)}"
        raise _fault(what, target, expected, f"--draw {target.with_suffix('.png')}")
    if target.is_dir():
        what, expected = "A directory stands where the picture would go.", "the path of a file"
        raise _fault(what, target, expected, f"--draw {target / 'answer.png'}")
    if any(_is_same(target, source) for source in sources):
        what = "The picture would replace the file that is asked about."
        raise _fault(what, target, "another file", "choose another name")
    if os.path.lexists(target) and not overwrite:
        what, expected = "A file stands where the picture would go.", "a path where nothing stands"
        raise _fault(what, target, expected, "choose another name, or add --overwrite")
    _try_folder(target)
    return target


def _is_same(target: Path, source: Path) -> bool:
    try:
        return target.samefile(source)
    except OSError:
        return False


def _try_folder(target: Path) -> None:
    if not target.parent.is_dir():
        what = "The picture's folder does not exist."
        raise _fault(what, target, "a folder that is there", f"mkdir -p {target.parent}")
    try:
        with tempfile.TemporaryFile(dir=target.parent):
            return
    except OSError as error:
        what = f"The picture cannot be written: {error.strerror}."
        raise _fault(what, target, "a folder that may be written to", "choose another") from error


def write_picture(picture: Image.Image, target: Path, *, overwrite: bool = False) -> None:
    """Writes it in the format of the target's name.

    Args:
        picture: RGB.
        target: What ``picture_target`` returned.
        overwrite: Replace a file that is there.

    Raises:
        UsageError: something stands there since.
        MediaError: the disk or the file format refuses; nothing is left behind.
    """
    try:
        with atomic_file(target, overwrite=overwrite) as staging:
            picture.save(staging, format=_FORMATS[target.suffix.lower()])
    except FileExistsError as error:
        what, expected = "A file has appeared where the picture would go.", "nothing there"
        raise _fault(what, target, expected, "ask again under another name") from error
    # a side beyond what the format holds is a ValueError
    except (OSError, ValueError) as error:
        raise MediaError(
            f"The picture cannot be written: {getattr(error, 'strerror', None) or error}.",
            where=str(target),
            expected="a disk with room, and a size that the format can hold",
            fix="ask again with another --draw, e.g. a .png elsewhere",
        ) from error


def _fault(what: str, target: Path, expected: str, fix: str) -> UsageError:
    return UsageError(what, where=str(target), expected=expected, fix=fix)
