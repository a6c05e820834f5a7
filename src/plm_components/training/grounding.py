"""The auxiliary loss: every place of a tile says, in words, what thing has its centre there.

Answers alone teach shapes last and slowly, and finding a thing by its shape later still. Here each
feature is read by the decoder's own head, as if it were a hidden state: where a small red star is
centred it must say *star*, *red*, *small* and which row and column. So the encoder learns to see
before any question is asked, and a feature comes to lie where the words for it lie: a question's
*star* finds it by likeness. Nothing is added to the model. The published recipe has no such loss.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from plm_components.contracts import Decoder, Tokenizer
from plm_components.data.motion import pose
from plm_components.data.nouns import COLORS, SHAPES, SIZES
from plm_components.data.scene import Scene

# the first word of the first group is said where nothing is centred
GROUPS = (
    ("nothing", *SHAPES),
    COLORS,
    SIZES,
    ("top", "center", "bottom"),
    ("left", "center", "right"),
)
UNKNOWN = -100


class Grounding:
    """The loss for one tokenizer.

    Args:
        tokenizer: Every word of ``GROUPS`` is one token of it.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        ids = [[tokenizer.encode(word) for word in group] for group in GROUPS]
        self._ids = [torch.tensor([word[0] for word in group]) for group in ids]

    def loss(self, decoder: Decoder, features_TMD: Tensor, labels_TMG: Tensor) -> Tensor:
        """``(T, M, D)`` features and ``(T, M, 5)`` labels -> a scalar."""
        labels_NG = labels_TMG.flatten(0, 1)
        hidden_ND = F.rms_norm(features_TMD.flatten(0, 1).float(), features_TMD.shape[-1:])
        logits_NV = decoder.logits(hidden_ND.to(features_TMD.dtype)).float()
        said = [logits_NV[:, ids] for ids in self._ids]
        losses = [
            F.cross_entropy(logits, labels_NG[:, n], ignore_index=UNKNOWN)
            for n, logits in enumerate(said)
        ]
        # empty places are many and easy: things count as much as all of them
        things = labels_NG[:, 0] > 0
        losses.append(F.cross_entropy(said[0][things], labels_NG[things, 0]))
        return torch.stack(losses).sum()


def grounding_labels(scenes: Sequence[Scene], times: Sequence[float], side: int) -> Tensor:
    """``(T, side * side, 5)`` int64: places in ``GROUPS``, ``UNKNOWN`` where nothing is centred.

    Args:
        scenes: Of the batch.
        times: Of the frames of each scene; one for images.
        side: Places across a tile.
    """
    labels = torch.full((len(scenes), len(times), side * side, len(GROUPS)), UNKNOWN)
    labels[..., 0] = 0
    for scene, of_scene in zip(scenes, labels, strict=True):
        for thing in scene.things:
            names = [1 + SHAPES.index(thing.shape), COLORS.index(thing.color)]
            # a thing that grows has no size to name
            names.append(SIZES.index(thing.size) if thing.event.growth == 1.0 else UNKNOWN)
            for time, of_frame in zip(times, of_scene, strict=True):
                now = pose(thing.event, time)
                if now.visible:
                    x, y = (min(0.999, max(0.0, at)) for at in (thing.x + now.dx, thing.y + now.dy))
                    place = int(y * side) * side + int(x * side)
                    of_frame[place] = torch.tensor([*names, int(y * 3), int(x * 3)])
    return labels.flatten(0, 1)
