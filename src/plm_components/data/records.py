"""The tiny world as files: pictures, mp4 clips and PLM's JSONL of questions about them.

python -m plm_components.data.records --out folder --images 100 --videos 100 --seed 1
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import av
from PIL import Image

from plm_components.data.image_questions import IMAGE_TYPES, ask_about_image
from plm_components.data.phrasing import Question
from plm_components.data.render import render_frames, render_image
from plm_components.data.scene import Scene, image_scene, video_scene
from plm_components.data.video_questions import VIDEO_TYPES, ask_about_video
from plm_components.errors import UsageError

_IMAGE_FORMATS = (".png", ".jpg", ".webp")
_FRAME_RATES = (8, 10, 12, 15, 24, 25, 30)
# beyond seven seconds a sampler of one frame a second stops spreading frames over the whole clip
_SECONDS = (1.6, 6.0)
_FEWEST_FRAMES, _MOST_FRAMES = 20, 72


def write_image(scene: Scene, folder: Path) -> Path:
    """The picture as a PNG, JPEG or WebP of its own size, chosen by the scene's seed."""
    lots = Random(f"file {scene.kind} {scene.seed}")
    width, height = _size(scene, lots, (120, 480))
    path = folder / f"{scene.kind}-{scene.seed}{lots.choice(_IMAGE_FORMATS)}"
    picture = Image.fromarray(render_image(scene, width, height))
    if path.suffix == ".png":
        picture.save(path)
    else:
        picture.save(path, quality=lots.randint(40, 95))
    return path


def write_video(scene: Scene, folder: Path) -> Path:
    """The clip as an h264 mp4 of its own size, length, frame rate and quality."""
    lots = Random(f"file {scene.kind} {scene.seed}")
    width, height = _size(scene, lots, (112, 288))
    rate = lots.choice(_FRAME_RATES)
    count = round(rate * lots.uniform(*_SECONDS))
    count = min(_MOST_FRAMES, max(_FEWEST_FRAMES, count))
    times = [frame / (count - 1) for frame in range(count)]
    path = folder / f"{scene.kind}-{scene.seed}.mp4"
    encode_mp4(render_frames(scene, times, width, height), path, rate, crf=lots.randint(18, 30))
    return path


def encode_mp4(frames_FHW3: Any, path: Path, rate: int, *, crf: int = 23) -> None:
    """An h264 file that any player opens.

    Args:
        frames_FHW3: uint8 RGB ``(F, H, W, 3)``; even sides.
        path: To be written.
        rate: Frames per second.
        crf: x264's quality, 0 (lossless) to 51.
    """
    # bitexact: no time of writing in the header
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.height, stream.width = frames_FHW3.shape[1:3]
        stream.pix_fmt = "yuv420p"
        # one thread: nothing depends on how many cores there are; bytes still may differ, since
        # the encoder's depend on what its memory held before
        stream.options = {"crf": str(crf), "preset": "veryfast", "threads": "1"}
        for pixels in frames_FHW3:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())


def _size(scene: Scene, lots: Random, sides: tuple[int, int]) -> tuple[int, int]:
    """Even width and height of the scene's aspect; their geometric mean lies in ``sides``."""
    side, root = lots.uniform(*sides), scene.aspect**0.5
    return 2 * round(side * root / 2), 2 * round(side / root / 2)


def questions_about(scene: Scene, number: int, *, seed: int = 0) -> list[Question]:
    """Questions of different types, as many as there are up to ``number``."""
    lots = Random(f"questions {seed} {scene.kind} {scene.seed}")
    image = scene.kind == "image"
    kinds = list(IMAGE_TYPES if image else VIDEO_TYPES)
    lots.shuffle(kinds)
    ask = ask_about_image if image else ask_about_video
    asked: list[Question] = []
    for kind in kinds:
        question = next((q for _ in range(4) if (q := ask(scene, lots, kind))), None)
        if question is not None and len(asked) < number:
            asked.append(question)
    return asked


def record(path: Path, scene: Scene, questions: Sequence[Question]) -> dict[str, Any]:
    """One line of PLM's JSONL: the medium and a conversation about it."""
    conversation = []
    for question in questions:
        conversation.append({"from": "human", "value": question.text})
        conversation.append({"from": "assistant", "value": question.answer})
    return {scene.kind: path.name, "conversations": conversation}


def write_records(folder: Path, *, images: int, videos: int, seed: int, number: int = 4) -> Path:
    """Files and their ``records.jsonl``.

    Args:
        folder: Made if it is not there.
        images: Pictures to draw.
        videos: Clips to draw.
        seed: Of the first scene; the next ones count on.
        number: Questions a scene.

    Returns:
        The JSONL file.

    Raises:
        UsageError: a negative number of anything, or no questions.
    """
    if min(images, videos, seed) < 0 or number < 1:
        raise UsageError(
            f"{images} images, {videos} videos, seed {seed} and {number} questions were asked for.",
            where="data.records",
            expected="images, videos and seed of at least 0, and at least one question",
            fix="leave the option out, or give it a larger number",
        )
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for place in range(images):
        picture = image_scene(seed + place)
        lines.append(
            record(write_image(picture, folder), picture, questions_about(picture, number))
        )
    for place in range(videos):
        clip = video_scene(seed + place)
        lines.append(record(write_video(clip, folder), clip, questions_about(clip, number)))
    path = folder / "records.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder to write into")
    parser.add_argument("--images", type=int, default=10)
    parser.add_argument("--videos", type=int, default=10)
    parser.add_argument("--questions", type=int, default=4, help="a scene")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    print(
        write_records(
            asked.out,
            images=asked.images,
            videos=asked.videos,
            seed=asked.seed,
            number=asked.questions,
        )
    )


if __name__ == "__main__":
    _main()
