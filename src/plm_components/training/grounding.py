"""The auxiliary loss: every pooled token says what thing has its centre there.

Answers alone teach shapes last and slowly; this asks each place of each frame directly, through
one linear layer that is thrown away after training. The published recipe has no such loss.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plm_components.data.motion import pose
from plm_components.data.nouns import COLORS, SHAPES, SIZES
from plm_components.data.scene import Scene

_NO_SHAPE = 0
_UNKNOWN = -100


class GroundingHead(nn.Module):
    """Features to what stands there.

    Args:
        width: Channels of a feature.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self._sizes = (1 + len(SHAPES), len(COLORS), len(SIZES))
        self.linear = nn.Linear(width, sum(self._sizes))

    def forward(self, features_TMD: Tensor, labels_TM3: Tensor) -> Tensor:
        """``(T, M, D)`` features and ``(T, M, 3)`` labels -> the loss, a scalar."""
        said = self.linear(features_TMD).float().flatten(0, 1).split(self._sizes, dim=-1)
        labels_N3 = labels_TM3.flatten(0, 1)
        losses = [
            F.cross_entropy(logits, labels_N3[:, n], ignore_index=_UNKNOWN)
            for n, logits in enumerate(said)
        ]
        # empty places are many and easy: things count as much as all of them
        things = labels_N3[:, 0] > _NO_SHAPE
        losses.append(F.cross_entropy(said[0][things], labels_N3[things, 0]))
        return torch.stack(losses).sum()


def grounding_labels(scenes: Sequence[Scene], times: Sequence[float], side: int) -> Tensor:
    """``(T, side * side, 3)`` int64: shape (0 for none), color and size of what is centred there.

    Args:
        scenes: Of the batch.
        times: Of the frames of each scene; one for images.
        side: Places across a tile.
    """
    labels = torch.zeros(len(scenes), len(times), side * side, 3, dtype=torch.int64)
    labels[..., 1:] = _UNKNOWN
    for scene, of_scene in zip(scenes, labels, strict=True):
        for thing in scene.things:
            size = SIZES.index(thing.size) if thing.event.growth == 1.0 else _UNKNOWN
            named = torch.tensor((1 + SHAPES.index(thing.shape), COLORS.index(thing.color), size))
            for time, of_frame in zip(times, of_scene, strict=True):
                now = pose(thing.event, time)
                if now.visible:
                    column = min(side - 1, int((thing.x + now.dx) * side))
                    row = min(side - 1, int((thing.y + now.dy) * side))
                    of_frame[row * side + column] = named
    return labels.flatten(0, 1)
