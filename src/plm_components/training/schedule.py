"""What each step does and how fast it learns, in steps, never in minutes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

# sight: the encoder alone learns to see pictures; image, video: the whole model answers questions
Work: TypeAlias = Literal["sight", "image", "video"]


@dataclass(frozen=True)
class Recipe:
    """plm-tiny's training: the same on every machine.

    Three stages, as PLM's own encoder, alignment and mid-training: the encoder and projector learn
    to see (``grounding``); the whole model answers about pictures; then about clips and pictures
    in turn.

    Args:
        seed: Of weights and scenes.
        sight_steps: Steps of the first stage.
        image_steps: Steps of the second.
        pairs: Of the third: one step on clips, one on pictures.
        sight_scenes: Pictures a step of the first stage.
        image_scenes: Pictures a step after that.
        video_scenes: Clips a step.
        image_questions: Questions a picture.
        video_questions: Questions a clip.
        sight_rate: Learning rate of the first stage.
        image_rate: Learning rate of the second.
        rate: Learning rate of the third.
        rise_steps: Steps in which a rate rises from zero.
        sight_decay: Last share of the first stage, in which its rate falls to a tenth.
        decay: Last share of the other stages, in which their rate falls to zero.
        weight_decay: Of matrices.
        clip: Largest gradient norm.
        grounding: Weight of the auxiliary loss while questions are answered.
    """

    seed: int = 0
    sight_steps: int = 1500
    image_steps: int = 500
    pairs: int = 1500
    sight_scenes: int = 96
    image_scenes: int = 32
    video_scenes: int = 24
    image_questions: int = 6
    video_questions: int = 8
    sight_rate: float = 3e-3
    image_rate: float = 3e-3
    rate: float = 2e-3
    rise_steps: int = 50
    sight_decay: float = 0.3
    decay: float = 0.4
    weight_decay: float = 0.05
    clip: float = 1.0
    grounding: float = 0.1

    @property
    def num_steps(self) -> int:
        """Steps in all."""
        return self.sight_steps + self.image_steps + 2 * self.pairs

    def work(self, step: int) -> Work:
        """What a step does."""
        if step < self.sight_steps:
            return "sight"
        step -= self.sight_steps + self.image_steps
        return "image" if step < 0 or step % 2 else "video"

    def learning_rate(self, step: int) -> float:
        """Of one step."""
        if step < self.sight_steps:
            ramp = _ramp(step, self.sight_steps, self.rise_steps, self.sight_decay, 0.1)
            return self.sight_rate * ramp
        step -= self.sight_steps
        steps = self.num_steps - self.sight_steps
        rate = self.image_rate if step < self.image_steps else self.rate
        return rate * _ramp(step, steps, self.rise_steps, self.decay, 0.0)

    def num_scenes(self, step: int) -> int:
        """Scenes of a step."""
        return {"sight": self.sight_scenes, "image": self.image_scenes, "video": self.video_scenes}[
            self.work(step)
        ]

    def scene_seeds(self, step: int) -> range:
        """Seeds of a step's scenes: no two steps share one, and none reaches the held-out ones."""
        start = self.seed * 100_000_000 + step * 1000
        return range(start, start + self.num_scenes(step))


def _ramp(step: int, steps: int, rise: int, decay: float, last: float) -> float:
    """Up, flat, and down to ``last`` over the final share."""
    left = (steps - step) / (steps * decay)
    return min(1.0, (step + 1) / rise) * (last + (1 - last) * min(1.0, left))
