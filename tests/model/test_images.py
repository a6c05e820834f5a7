from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from plm_components.errors import MediaError
from plm_components.model.images import image_size, read_image


def saved(tmp_path: Path, image: Image.Image, name: str = "a.png", **options: object) -> Path:
    image.save(tmp_path / name, **options)
    return tmp_path / name


def noise(width: int = 12, height: int = 7) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def pixel(path: Path | Image.Image) -> tuple[int, ...]:
    image = read_image(path)
    assert image.mode == "RGB"
    return tuple(image.getpixel((0, 0)))


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "webp", "ppm", "tga", "gif"])
def test_formats(suffix: str, tmp_path: Path) -> None:
    options = {"lossless": True} if suffix == "webp" else {}
    path = saved(tmp_path, Image.new("RGB", (3, 2), (10, 20, 30)), f"a.{suffix}", **options)
    assert image_size(path) == (3, 2)
    assert pixel(path) == (10, 20, 30)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_honoured(orientation: int, tmp_path: Path) -> None:
    stored = noise()
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path, stored, exif=exif)
    with Image.open(path) as opened:
        expected = ImageOps.exif_transpose(opened)
    seen = read_image(path)
    assert image_size(path) == seen.size == expected.size
    assert np.array_equal(np.asarray(seen), np.asarray(expected))
    assert (seen.size == stored.size) == (orientation < 5)


@pytest.mark.parametrize(
    ("make", "colour"),
    [
        (lambda: Image.new("L", (2, 2), 77), (77, 77, 77)),
        (lambda: Image.new("1", (2, 2), 1), (255, 255, 255)),
        (lambda: Image.new("RGBA", (2, 2), (10, 20, 30, 255)), (10, 20, 30)),
        (lambda: Image.new("RGBA", (2, 2), (10, 20, 30, 0)), (255, 255, 255)),
        (lambda: Image.new("RGBA", (2, 2), (0, 0, 0, 51)), (204, 204, 204)),
        (lambda: Image.new("LA", (2, 2), (0, 0)), (255, 255, 255)),
        (lambda: Image.new("LA", (2, 2), (90, 255)), (90, 90, 90)),
        (lambda: Image.new("PA", (2, 2)), (255, 255, 255)),
        (lambda: Image.new("I;16", (2, 2), 32896), (128, 128, 128)),
        (lambda: Image.new("CMYK", (2, 2), (0, 0, 0, 255)), (0, 0, 0)),
        (lambda: Image.new("YCbCr", (2, 2), (255, 128, 128)), (255, 255, 255)),
        (lambda: Image.new("HSV", (2, 2), (0, 0, 255)), (255, 255, 255)),
    ],
)
def test_modes(make: Callable[[], Image.Image], colour: tuple[int, int, int]) -> None:
    assert pixel(make()) == colour


def test_a_palette_with_a_transparent_colour_stands_on_white(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([200, 0, 0, 0, 0, 200])
    image.putpixel((1, 0), 1)
    seen = read_image(saved(tmp_path, image, transparency=0))
    assert [seen.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (0, 0, 200)]


def test_a_transparent_colour_of_an_rgb_png_stands_on_white(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.new("RGB", (2, 2), (1, 2, 3)), transparency=(1, 2, 3))
    assert pixel(path) == (255, 255, 255)


def test_sixteen_bits_become_eight(tmp_path: Path) -> None:
    values = np.array([[0, 257, 65535, 32768]], dtype=np.uint16)
    seen = read_image(saved(tmp_path, Image.fromarray(values)))
    assert [seen.getpixel((x, 0))[0] for x in range(4)] == [0, 1, 255, 128]


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_values_without_a_range_are_stretched(dtype: type, tmp_path: Path) -> None:
    values = np.array([[-5, 0, 5]], dtype=dtype)
    seen = read_image(saved(tmp_path, Image.fromarray(values), "a.tiff"))
    assert [seen.getpixel((x, 0))[0] for x in range(3)] == [0, 128, 255]
    flat = np.full((2, 2), 7, dtype=dtype)
    assert pixel(saved(tmp_path, Image.fromarray(flat), "b.tiff")) == (0, 0, 0)


def test_not_a_number_is_no_reason_to_fail() -> None:
    values = np.array([[np.nan, 0, np.inf, 1]], dtype=np.float32)
    assert read_image(Image.fromarray(values)).getpixel((3, 0)) == (255, 255, 255)


def test_the_first_picture_of_an_animation(tmp_path: Path) -> None:
    later = Image.new("RGB", (4, 4), (0, 0, 255))
    path = saved(
        tmp_path,
        Image.new("RGB", (4, 4), (255, 0, 0)),
        "a.gif",
        save_all=True,
        append_images=[later],
    )
    assert pixel(path) == (255, 0, 0)


@pytest.mark.parametrize("size", [(1, 1), (20000, 20)])
def test_odd_sizes(size: tuple[int, int], tmp_path: Path) -> None:
    path = saved(tmp_path, Image.new("RGB", size, (9, 8, 7)))
    assert image_size(path) == read_image(path).size == size


def test_an_image_is_not_changed() -> None:
    image = noise()
    before = image.tobytes()
    read_image(image).putpixel((0, 0), (0, 0, 0))
    assert image.tobytes() == before


# --- files that cannot be read ---------------------------------------------------------------


def _chunk(name: bytes, content: bytes) -> bytes:
    check = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)


def _png_of(width: int, height: int) -> bytes:
    """A header that promises more than it brings."""
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + _chunk(b"IDAT", zlib.compress(bytes(9)))


def _truncated() -> bytes:
    whole = BytesIO()
    noise(60, 60).save(whole, "PNG")
    return whole.getvalue()[:-4000]


FAULTS = {
    "text": (b"This is no image.", "it is no image"),
    "empty": (b"", "the file is empty"),
    "truncated": (_truncated(), "it is damaged ("),
    "header alone": (_png_of(30, 30), "it is damaged ("),
    "too large": (_png_of(60000, 60000), "it has more pixels than is safe to unpack"),
    # a program that PIL would hand to an interpreter
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "it is no image"),
    "video": (b"\0\0\0\x1cftypisom" + bytes(100), "it is no image"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_one_clear_error(fault: str, tmp_path: Path) -> None:
    content, why = FAULTS[fault]
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(MediaError) as caught:
        read_image(path)
    assert caught.value.what.startswith(f"The image cannot be read: {why}")
    assert caught.value.where == str(path)


def test_the_whole_text(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.png"
    for use in (image_size, read_image):
        with pytest.raises(MediaError) as caught:
            use(path)
        assert str(caught.value) == (
            "The image cannot be read: there is no such file.\n"
            f"  where:    {path}\n"
            "  expected: an image file: PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF, …\n"
            "  fix:      check the path"
        )


def test_a_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="it is a directory"):
        read_image(tmp_path)


@pytest.mark.parametrize("look", [image_size, read_image])
def test_a_pipe_is_not_waited_for(look: Callable[[Path], object], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(MediaError, match="cannot be read: it is no regular file"):
        look(tmp_path / "a.png")


def test_a_broken_pil_image_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(_truncated())
    with Image.open(tmp_path / "a.png") as lazy, pytest.raises(MediaError, match="damaged"):
        read_image(lazy)
