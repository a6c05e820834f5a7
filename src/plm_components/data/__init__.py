"""The tiny world: a procedural world of moving shapes, its files and its questions.

One idea a file: ``nouns`` (what there is), ``palette`` (what its colors look like), ``outlines``
(the geometry), ``motion`` (where a thing is at a time), ``scene`` (drawing lots), ``render``
(pixels), ``wear`` (what files do to pixels), ``phrasing`` and the two ``*_questions`` (language),
``records`` (PNG, JPEG and mp4 files beside PLM's JSONL).
"""

from plm_components.data.image_questions import IMAGE_TYPES, ask_about_image
from plm_components.data.phrasing import Question
from plm_components.data.render import render_frames, render_image
from plm_components.data.scene import Scene, image_scene, video_scene
from plm_components.data.video_questions import VIDEO_TYPES, ask_about_video

__all__ = [
    "IMAGE_TYPES",
    "VIDEO_TYPES",
    "Question",
    "Scene",
    "ask_about_image",
    "ask_about_video",
    "image_scene",
    "render_frames",
    "render_image",
    "video_scene",
]
