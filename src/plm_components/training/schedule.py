"""What each step does and how fast it learns, in steps, never in minutes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

# sight: the encoder alone learns to see pictures; image, video: the whole model answers questions
Work: TypeAlias = Literal["sight", "image", "video"]


@dataclass(frozen=True)
class Recipe:
    """plm-tiny's training: the same on every machine.

    Stages, after PLM's own encoder, alignment and mid-training: the encoder and projector learn to
    see (``grounding``); the whole model answers about pictures; about clips and pictures in turn;
    at last mostly about clips, where things that move are found late (``narration``).

    Args:
        seed: Of weights and scenes.
        processes: That share out the scenes of a step; the mean of their means is what is learned.
        sight_steps: Steps of the first stage.
        image_steps: Steps of the second.
        pairs: Of the third: one step on clips, one on pictures.
        last_steps: Of the fourth: three on clips, then one on pictures.
        sight_scenes: Pictures a step of the first stage.
        image_scenes: Pictures a step after that.
        video_scenes: Clips a step.
        image_questions: Questions a picture.
        video_questions: Questions a clip.
        sight_rate: Learning rate of the first stage.
        early_rate: Learning rate of the first ``early_steps`` after that.
        early_steps: How long it holds.
        rate: Learning rate from then on. In the one run that was made, things were not found by
            their shape at the early one, and were soon after it fell.
        last_rate: Learning rate of the fourth stage.
        rise_steps: Steps in which a rate rises from zero.
        sight_decay: Last steps of the first stage, in which its rate falls to a tenth.
        decay: Last steps of all, in which the rate falls to zero.
        weight_decay: Of matrices.
        clip: Largest gradient norm.
        eyes: The encoder's share of the rate after the first stage.
        grounding: Weight of the auxiliary loss on features while questions are answered.
        narration: Weight of the auxiliary loss on clips.
    """

    seed: int = 0
    processes: int = 2
    sight_steps: int = 2500
    image_steps: int = 400
    pairs: int = 1600
    last_steps: int = 2000
    sight_scenes: int = 96
    image_scenes: int = 24
    video_scenes: int = 20
    image_questions: int = 6
    video_questions: int = 8
    sight_rate: float = 3e-3
    early_rate: float = 2e-3
    early_steps: int = 1000
    rate: float = 8e-4
    last_rate: float = 5e-4
    rise_steps: int = 50
    sight_decay: int = 700
    decay: int = 900
    weight_decay: float = 0.05
    clip: float = 1.0
    eyes: float = 0.15
    grounding: float = 0.2
    narration: float = 0.3

    @property
    def num_steps(self) -> int:
        """Steps in all."""
        return self.sight_steps + self.image_steps + 2 * self.pairs + self.last_steps

    def work(self, step: int) -> Work:
        """What a step does."""
        if step < self.sight_steps:
            return "sight"
        step -= self.sight_steps + self.image_steps
        if step < 0:
            return "image"
        if step < 2 * self.pairs:
            return "image" if step % 2 else "video"
        return "image" if (step - 2 * self.pairs) % 4 == 3 else "video"

    def learning_rate(self, step: int) -> float:
        """Of one step."""
        if step < self.sight_steps:
            fall = 0.1 + 0.9 * min(1.0, (self.sight_steps - step) / self.sight_decay)
            return self.sight_rate * min(1.0, (step + 1) / self.rise_steps) * fall
        rise = min(1.0, (step - self.sight_steps + 1) / self.rise_steps)
        fall = min(1.0, (self.num_steps - step) / self.decay)
        return self._level(step - self.sight_steps) * rise * fall

    def _level(self, step: int) -> float:
        """The flat rate of a step behind the first stage."""
        if step < self.early_steps:
            return self.early_rate
        return self.rate if step < self.image_steps + 2 * self.pairs else self.last_rate

    def num_scenes(self, step: int) -> int:
        """Scenes of a step."""
        return {"sight": self.sight_scenes, "image": self.image_scenes, "video": self.video_scenes}[
            self.work(step)
        ]

    def scene_seeds(self, step: int) -> range:
        """Seeds of a step's scenes: no two steps share one, and none reaches the held-out ones."""
        start = self.seed * 100_000_000 + step * 1000
        return range(start, start + self.num_scenes(step))
