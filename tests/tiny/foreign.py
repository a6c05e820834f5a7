"""Pictures and clips that the world's renderer did not make.

Drawn with PIL's ImageDraw or plain numpy masks, without antialiasing unless PIL does it, and
written by PIL and FFmpeg in several formats, codecs, sizes, aspects and frame rates.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageDraw

RED, GREEN, BLUE = (220, 20, 30), (0, 150, 40), (30, 60, 230)
YELLOW, ORANGE, PURPLE = (255, 225, 0), (255, 140, 0), (128, 0, 128)
BLACK, WHITE, GREY = (0, 0, 0), (255, 255, 255), (128, 128, 128)


@dataclass(frozen=True)
class Foreign:
    """One file and what it must be answered.

    Args:
        name: Of the file.
        draw: Writes it to a path.
        asked: Questions and their answers.
    """

    name: str
    draw: Callable[[Path], None]
    asked: tuple[tuple[str, str], ...]

    @property
    def medium(self) -> str:
        return "video" if self.name.endswith((".mp4", ".webm", ".mkv", ".avi")) else "image"


# --- pictures ---------------------------------------------------------------------------------


def star_points(x: float, y: float, r: float, turn: float = 0.0) -> list[tuple[float, float]]:
    corners = []
    for k in range(10):
        radius = r if k % 2 == 0 else 0.42 * r
        angle = turn - math.pi / 2 + k * math.pi / 5
        corners.append((x + radius * math.cos(angle), y + radius * math.sin(angle)))
    return corners


def canvas(
    width: int, height: int, color: tuple[int, int, int]
) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGB", (width, height), color)
    return image, ImageDraw.Draw(image)


def box(x: float, y: float, r: float) -> tuple[float, float, float, float]:
    return (x - r, y - r, x + r, y + r)


def red_circle(path: Path) -> None:
    image, draw = canvas(256, 256, WHITE)
    draw.ellipse(box(128, 128, 40), fill=RED)
    image.save(path)


def blue_square(path: Path) -> None:
    image, draw = canvas(640, 480, GREY)
    draw.rectangle(box(110, 85, 60), fill=BLUE)
    image.save(path, quality=85)


def green_triangle(path: Path) -> None:
    image, draw = canvas(400, 300, (250, 245, 230))
    draw.polygon([(200, 80), (260, 190), (140, 190)], fill=GREEN)
    image.save(path, quality=80)


def yellow_star(path: Path) -> None:
    image, draw = canvas(64, 64, BLACK)
    draw.polygon(star_points(32, 33, 14), fill=YELLOW)
    image.save(path)


def cross_and_circle(path: Path) -> None:
    image, draw = canvas(1200, 800, (190, 215, 240))
    draw.rectangle((170, 100, 230, 320), fill=BLACK)
    draw.rectangle((90, 180, 310, 240), fill=BLACK)
    draw.ellipse(box(980, 640, 95), fill=ORANGE)
    image.save(path, quality=75)


def three_shapes(path: Path) -> None:
    image, draw = canvas(1024, 1024, WHITE)
    draw.rectangle(box(170, 170, 95), fill=GREEN)
    draw.polygon(star_points(850, 180, 120), fill=RED)
    draw.ellipse(box(510, 860, 100), fill=BLUE)
    image.save(path)


def numpy_ring(path: Path) -> None:
    y, x = np.mgrid[0:300, 0:300].astype(np.float64)
    pixels = np.empty((300, 300, 3))
    pixels[...] = 200 + 40 * (x / 299)[..., None]
    distance = np.hypot(x - 150, y - 150)
    pixels[(distance > 30) & (distance < 48)] = PURPLE
    Image.fromarray(pixels.astype(np.uint8)).save(path)


def white_circle_low(path: Path) -> None:
    image, draw = canvas(300, 420, (10, 60, 30))
    draw.ellipse(box(150, 350, 36), fill=WHITE)
    image.save(path, quality=35)


def red_square_bitmap(path: Path) -> None:
    image, draw = canvas(200, 200, (230, 230, 230))
    draw.rectangle(box(100, 34, 22), fill=RED)
    image.save(path)


def wide_pair(path: Path) -> None:
    image, draw = canvas(500, 281, WHITE)
    draw.ellipse(box(80, 140, 33), fill=PURPLE)
    draw.polygon([(420, 105), (460, 175), (380, 175)], fill=ORANGE)
    image.save(path)


def noisy_square(path: Path) -> None:
    lots = np.random.default_rng(3)
    pixels = lots.normal(150, 14, (350, 350, 3))
    pixels[150:200, 150:200] = lots.normal(0, 8, (50, 50, 3)) + BLUE
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path, quality=90)


def outlined_circle(path: Path) -> None:
    image, draw = canvas(480, 480, WHITE)
    draw.ellipse(box(390, 90, 60), fill=YELLOW, outline=BLACK, width=5)
    image.save(path)


def plus_sign(path: Path) -> None:
    pixels = np.full((128, 128, 3), 40, np.uint8)
    pixels[58:70, 40:88] = RED
    pixels[40:88, 58:70] = RED
    Image.fromarray(pixels).save(path)


def palette_gif(path: Path) -> None:
    image, draw = canvas(240, 240, BLACK)
    draw.polygon([(200, 175), (230, 225), (170, 225)], fill=GREEN)
    image.convert("P", palette=Image.Palette.ADAPTIVE).save(path)


# --- clips ------------------------------------------------------------------------------------

Painter = Callable[[ImageDraw.ImageDraw, float], None]


def clip(
    path: Path,
    paint: Painter,
    *,
    size: tuple[int, int],
    rate: int,
    count: int,
    codec: str,
    color: tuple[int, int, int] = WHITE,
) -> None:
    """Writes frames that ``paint`` draws at times 0..1."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        if codec.startswith("libvpx"):
            stream.options = {"deadline": "realtime", "cpu-used": "8", "crf": "20", "b": "1M"}
        else:
            stream.bit_rate = 600_000
        for number in range(count):
            image, draw = canvas(*size, color)
            paint(draw, number / (count - 1))
            container.mux(stream.encode(av.VideoFrame.from_image(image)))
        container.mux(stream.encode())


def circle_goes_right(path: Path) -> None:
    def paint(draw: ImageDraw.ImageDraw, time: float) -> None:
        draw.ellipse(box(50 + 220 * time, 120, 28), fill=RED)

    clip(path, paint, size=(320, 240), rate=30, count=60, codec="libx264")


def square_goes_up(path: Path) -> None:
    def paint(draw: ImageDraw.ImageDraw, time: float) -> None:
        draw.rectangle(box(80, 100 - 80 * time, 13), fill=BLUE)

    clip(path, paint, size=(160, 120), rate=25, count=50, codec="mpeg4", color=(225, 225, 225))


def star_appears(path: Path) -> None:
    def paint(draw: ImageDraw.ImageDraw, time: float) -> None:
        if time > 0.5:
            draw.polygon(star_points(128, 128, 40), fill=ORANGE)

    clip(path, paint, size=(256, 256), rate=24, count=49, codec="libvpx-vp9", color=BLACK)


def triangle_grows(path: Path) -> None:
    def paint(draw: ImageDraw.ImageDraw, time: float) -> None:
        r = 16 + 24 * time
        draw.polygon(
            [(100, 150 - r), (100 + 0.87 * r, 150 + r / 2), (100 - 0.87 * r, 150 + r / 2)],
            fill=GREEN,
        )

    clip(path, paint, size=(200, 300), rate=15, count=45, codec="libvpx")


def ring_disappears(path: Path) -> None:
    def paint(draw: ImageDraw.ImageDraw, time: float) -> None:
        if time < 0.78:
            draw.ellipse(box(320, 180, 52), outline=PURPLE, width=16)

    clip(path, paint, size=(640, 360), rate=10, count=40, codec="libx264", color=(235, 235, 220))


def square_spins(path: Path) -> None:
    def paint(draw: ImageDraw.ImageDraw, time: float) -> None:
        turn = 2.8 * time
        corners = [turn + math.pi / 4 + k * math.pi / 2 for k in range(4)]
        draw.polygon([(150 + 55 * math.cos(a), 150 + 55 * math.sin(a)) for a in corners], fill=RED)

    clip(path, paint, size=(300, 300), rate=60, count=90, codec="libx264", color=(60, 60, 60))


def circle_goes_down(path: Path) -> None:
    def paint(draw: ImageDraw.ImageDraw, time: float) -> None:
        draw.ellipse(box(32, 32 + 128 * time, 16), fill=YELLOW)

    clip(path, paint, size=(192, 192), rate=4, count=9, codec="mpeg4", color=(20, 20, 60))


def long_way_left(path: Path) -> None:
    def paint(draw: ImageDraw.ImageDraw, time: float) -> None:
        draw.rectangle(box(200 - 160 * time, 120, 20), fill=PURPLE)

    clip(path, paint, size=(240, 240), rate=12, count=120, codec="libx264")


def one_moves_one_stays(path: Path) -> None:
    def paint(draw: ImageDraw.ImageDraw, time: float) -> None:
        draw.ellipse(box(60 + 200 * time, 60, 25), fill=GREEN)
        draw.rectangle(box(240, 260, 25), fill=BLACK)

    clip(path, paint, size=(320, 320), rate=20, count=40, codec="libx264")


def star_shrinks(path: Path) -> None:
    def paint(draw: ImageDraw.ImageDraw, time: float) -> None:
        draw.polygon(star_points(140, 110, 62 - 36 * time), fill=BLUE)

    clip(path, paint, size=(280, 220), rate=25, count=60, codec="libvpx-vp9")


_ALL = (
    Foreign(
        "red-circle.png",
        red_circle,
        (("What color is the circle?", "red"), ("what is this", "a red circle")),
    ),
    Foreign(
        "blue-square.jpg",
        blue_square,
        (("Where is the square?", "top left"), ("what color is the square", "blue")),
    ),
    Foreign("green-triangle.webp", green_triangle, (("What shape is it?", "a triangle"),)),
    Foreign(
        "yellow-star.png",
        yellow_star,
        (("what color is the star?", "yellow"), ("Where is it?", "center")),
    ),
    Foreign(
        "cross-and-circle.jpg",
        cross_and_circle,
        (("How many shapes are there?", "two"), ("What shape is orange?", "a circle")),
    ),
    Foreign(
        "three-shapes.png",
        three_shapes,
        (
            ("What is in the top right corner?", "a red star"),
            ("Where is the blue circle?", "bottom"),
        ),
    ),
    Foreign(
        "ring.png", numpy_ring, (("What shape is it?", "a ring"), ("What color is it?", "purple"))
    ),
    Foreign(
        "white-circle.jpg",
        white_circle_low,
        (("Where is the circle?", "bottom"), ("Is there a white circle?", "yes")),
    ),
    Foreign(
        "red-square.bmp",
        red_square_bitmap,
        (("Is there a blue square?", "no"), ("Is there a square in the picture?", "yes")),
    ),
    Foreign(
        "wide-pair.png",
        wide_pair,
        (("What is on the left?", "a purple circle"), ("what color is the triangle?", "orange")),
    ),
    Foreign(
        "noisy-square.jpg",
        noisy_square,
        (("what color is it?", "blue"), ("Is there a triangle?", "no")),
    ),
    Foreign(
        "outlined-circle.webp",
        outlined_circle,
        (("Describe the image.", "a yellow circle"), ("Where's the circle?", "top right")),
    ),
    Foreign("plus.png", plus_sign, (("What shape is red?", "a cross"),)),
    Foreign("triangle.gif", palette_gif, (("Where is the triangle?", "bottom right"),)),
    Foreign(
        "right.mp4",
        circle_goes_right,
        (("What moves?", "a red circle"), ("How does the circle move?", "it moves right")),
    ),
    Foreign(
        "up.avi",
        square_goes_up,
        (("Which way does the square move?", "it moves up"), ("what color is the square?", "blue")),
    ),
    Foreign(
        "appears.webm",
        star_appears,
        (("When does the star appear?", "in the middle"), ("What appears?", "an orange star")),
    ),
    Foreign("grows.webm", triangle_grows, (("What does the triangle do?", "it grows"),)),
    Foreign(
        "disappears.mp4",
        ring_disappears,
        (("What happens?", "a purple ring disappears"), ("When does it disappear?", "at the end")),
    ),
    Foreign("spins.mp4", square_spins, (("What does the square do?", "it spins"),)),
    Foreign(
        "down.mp4",
        circle_goes_down,
        (
            ("Where is the circle at the end?", "bottom left"),
            ("How does it move?", "it moves down"),
        ),
    ),
    Foreign("left.mkv", long_way_left, (("How does the square move?", "it moves left"),)),
    Foreign(
        "one-of-two.mp4",
        one_moves_one_stays,
        (("What moves?", "a green circle"), ("What stays still?", "a black square")),
    ),
    Foreign("shrinks.webm", star_shrinks, (("What happens to the star?", "it shrinks"),)),
)


def foreign_files() -> Iterator[Foreign]:
    """All of them."""
    yield from _ALL
