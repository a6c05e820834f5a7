"""Image files to upright RGB, whatever they hold."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from plm_components.errors import MediaError

# EPS and the like are programs, not pictures: PIL would start an interpreter for them
_FORMATS = (
    "PNG", "JPEG", "MPO", "WEBP", "GIF", "BMP", "DIB", "TIFF", "PPM", "AVIF", "JPEG2000", "ICO",
    "TGA",
)  # fmt: skip
_ORIENTATION_TAG = 0x0112
_FIRST_SIDEWAYS_ORIENTATION = 5


def image_size(source: Path | Image.Image) -> tuple[int, int]:
    """Width and height in pixels, upright, without reading pixels.

    Raises:
        MediaError: a file that is missing or no image.
    """
    with _opened(source) as image:
        sideways = image.getexif().get(_ORIENTATION_TAG, 1) >= _FIRST_SIDEWAYS_ORIENTATION
        return (image.height, image.width) if sideways else (image.width, image.height)


def read_image(source: Path | Image.Image) -> Image.Image:
    """The image as PIL RGB, turned upright as its EXIF data say.

    What is transparent becomes white; of an animation the first picture is taken; 16 bits a
    channel become 8; grey values without an agreed range (32-bit integers, floats) are stretched
    from their smallest to their largest. Colour profiles are not applied, as in training.

    Raises:
        MediaError: a file that is missing, no image, cut short, or larger than PIL dares to open.
    """
    with _opened(source) as image:
        return to_rgb(ImageOps.exif_transpose(image))


def to_rgb(image: Image.Image) -> Image.Image:
    """Any PIL mode to RGB, on white."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I;16"):
        return _grey(np.asarray(image).astype(np.float64) / 65535)
    if image.mode in ("I", "F"):
        return _grey(_stretched(np.asarray(image, dtype=np.float64)))
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    return image.convert("RGB")


def _grey(values_HW: NDArray[np.float64]) -> Image.Image:
    return Image.fromarray((values_HW * 255).round().astype(np.uint8)).convert("RGB")


def _stretched(values_HW: NDArray[np.float64]) -> NDArray[np.float64]:
    finite_HW: NDArray[np.float64] = np.nan_to_num(values_HW, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(finite_HW.min()), float(finite_HW.max())
    return (finite_HW - low) / ((high - low) or 1.0)


@contextmanager
def _opened(source: Path | Image.Image) -> Iterator[Image.Image]:
    try:
        with warnings.catch_warnings():
            # PIL warns from 89 million pixels on and refuses from 179: cameras have reached the
            # first, the second stands
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            if isinstance(source, Image.Image):
                yield source
                return
            # a pipe would be waited for without end
            if not source.is_file():
                raise FileNotFoundError
            with Image.open(source, formats=_known_formats()) as image:
                yield image
    # decoders raise anything on hostile bytes: SyntaxError, struct.error, ZeroDivisionError, …
    except Exception as error:
        raise MediaError(
            f"The image cannot be read: {_reason(source, error)}.",
            where=str(source),
            expected="an image file: PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF, …",
            fix=_fix(source),
        ) from error


def _fix(source: Path | Image.Image) -> str:
    if isinstance(source, Path) and not source.is_file():
        return "check the path"
    return "open it in a viewer, and save it again if it looks right; a video goes in as a video"


def _known_formats() -> list[str]:
    Image.init()
    return [name for name in _FORMATS if name in Image.OPEN]


def _reason(source: Path | Image.Image, error: Exception) -> str:
    if isinstance(source, Path):
        if not source.exists():
            return "there is no such file"
        if source.is_dir():
            return "it is a directory"
        if not source.is_file():
            return "it is no regular file"
        if source.stat().st_size == 0:
            return "the file is empty"
    if isinstance(error, UnidentifiedImageError):
        return "it is no image"
    if isinstance(error, Image.DecompressionBombError):
        return "it has more pixels than is safe to unpack"
    return f"it is damaged ({error})" if str(error) else f"it is damaged ({type(error).__name__})"
