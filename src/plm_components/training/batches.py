"""Scenes to tensors: what one training step sees, a function of the recipe's seed and the step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
import torch
from torch import Tensor

from plm_components.contracts import MediaKind, Tokenizer
from plm_components.data import (
    Question,
    Scene,
    ask_about_image,
    ask_about_video,
    image_scene,
    render_frames,
    render_image,
    video_scene,
)
from plm_components.data.nouns import NUM_FRAMES
from plm_components.data.wear import wear
from plm_components.training.grounding import grounding_labels
from plm_components.training.layout import Layout, Rows
from plm_components.training.narration import narration_labels

# how often each type is asked: what is learned last is asked most
IMAGE_WEIGHTS = {
    "color": 4,
    "shape": 3,
    "size": 3,
    "where": 3,
    "what_at": 3,
    "count": 7,
    "exist": 2,
    "caption": 4,
}
VIDEO_WEIGHTS = {
    "what": 4,
    "how": 4,
    "when": 4,
    "frame": 3,
    "where_start": 2,
    "where_end": 2,
    "happens": 3,
    "caption": 2,
    "color": 1,
    "shape": 2,
    "count": 1,
    "exist": 1,
}


@dataclass(frozen=True, eq=False)
class TrainingBatch:
    """One step's media and rows.

    Args:
        kind: Image or video.
        tiles_TSS3: uint8 ``(T, S, S, 3)``, frames of a scene side by side.
        rows: Its questions; None where nothing is asked.
        grounding_TMG: See ``grounding``.
        num_scenes: Rows.
        narration_BP2: See ``narration``; None for pictures.
        media_start: First place of the medium in a row.
    """

    kind: MediaKind
    tiles_TSS3: Tensor
    rows: Rows | None
    grounding_TMG: Tensor
    num_scenes: int
    narration_BP2: Tensor | None
    media_start: int

    def pixels(self, dtype: torch.dtype) -> Tensor:
        """``(T, 3, S, S)``, normalised with mean and deviation one half."""
        tiles_T3SS = self.tiles_TSS3.permute(0, 3, 1, 2).to(torch.float32)
        return (tiles_T3SS / 127.5 - 1.0).to(dtype).contiguous()


class BatchMaker:
    """Makes batches of one kind of medium.

    Args:
        tokenizer: Of the model.
        kind: Image or video.
        tile: Side of a tile in pixels.
        tokens_side: Side of a tile's grid after the projector.
        num_questions: Questions a scene.
    """

    def __init__(
        self, tokenizer: Tokenizer, kind: MediaKind, tile: int, tokens_side: int, num_questions: int
    ) -> None:
        self._kind: MediaKind = kind
        self._tile, self._side, self._num_questions = tile, tokens_side, num_questions
        num_tiles = 1 if kind == "image" else NUM_FRAMES
        self.layout = Layout(tokenizer, kind, num_tiles * tokens_side**2)
        self._weights = IMAGE_WEIGHTS if kind == "image" else VIDEO_WEIGHTS

    def make(self, seeds: Sequence[int], *, asks: bool = True) -> TrainingBatch:
        """The scenes of these seeds, rendered, worn and, where it ``asks``, asked about."""
        draw = image_scene if self._kind == "image" else video_scene
        scenes = [draw(seed) for seed in seeds]
        tiles = np.concatenate([self._tiles(scene) for scene in scenes])
        rows = self.layout.rows([self._questions(scene) for scene in scenes]) if asks else None
        times = (0.0,) if self._kind == "image" else _TIMES
        labels = grounding_labels(scenes, times, self._side)
        told = None if self._kind == "image" else narration_labels(scenes, times, self._side)
        start = len(self.layout.prefix) - len(times) * self._side**2
        tensor = torch.from_numpy(tiles)
        return TrainingBatch(self._kind, tensor, rows, labels, len(scenes), told, start)

    def _tiles(self, scene: Scene) -> np.ndarray:
        lots = Random(f"wear {scene.kind} {scene.seed}")
        if scene.kind == "image":
            return wear(render_image(scene, self._tile, self._tile)[None], lots)
        # a codec's frames are not cut where ours are
        slip = lots.uniform(-0.02, 0.02)
        times = [min(1.0, max(0.0, time + slip)) for time in _TIMES]
        return wear(render_frames(scene, times, self._tile, self._tile), lots)

    def _questions(self, scene: Scene) -> list[Question]:
        lots = Random(f"ask {scene.kind} {scene.seed}")
        ask = ask_about_image if scene.kind == "image" else ask_about_video
        kinds, weights = tuple(self._weights), tuple(self._weights.values())
        questions: list[Question] = []
        while len(questions) < self._num_questions:
            question = ask(scene, lots, lots.choices(kinds, weights)[0])
            if question is not None:
                questions.append(question)
        return questions


_TIMES = tuple(frame / (NUM_FRAMES - 1) for frame in range(NUM_FRAMES))
