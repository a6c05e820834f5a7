"""Draws the demo's page for the README, ``docs/demo.png``: ``make picture SEED=…``.

256 colors instead of all of them: a page that is looked at must not weigh what a video does.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from PIL import Image

from plm_components.demo import run_demo

PICTURE = Path(__file__).with_name("demo.png")


def main(seed: int) -> None:
    """Asks plm-tiny about the scenes of a seed and keeps the page."""
    with tempfile.TemporaryDirectory() as folder:
        page = Image.open(run_demo(seed, Path(folder)).sheet)
        page.quantize(256, dither=Image.Dither.NONE).save(PICTURE, optimize=True)
    print(f"wrote {PICTURE}, {PICTURE.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(int(sys.argv[1]))
