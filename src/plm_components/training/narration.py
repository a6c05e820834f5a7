"""The second auxiliary loss: while a clip plays, every thing says what it is doing, and when.

Comparing a thing with itself a frame earlier is a long way from the words of an answer, and answers
alone hardly find it. Here the decoder must say, half way through its layers and at a thing's place
in each frame, *left*, *grow*, *still*, … and the number of the frame, through its own head. Half
way, so that a question in later layers can look up what was found: in the one run that told the
last layer instead, answers about clips did not improve. That is a lead, not an ablation. Nothing is
added to the model. The published recipe has no such loss.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from plm_components.contracts import Decoder, Tokenizer
from plm_components.data.motion import Pose, pose
from plm_components.data.nouns import MOVES, NUM_FRAMES
from plm_components.data.scene import Scene, Thing
from plm_components.training.grounding import UNKNOWN

DOINGS = (
    "still", "left", "right", "up", "down", "grow", "shrink", "spin", "appear", "disappear",
)  # fmt: skip
NUMBERS = tuple(str(number) for number in range(1, NUM_FRAMES + 1))


class Narration:
    """The loss for one tokenizer.

    Args:
        tokenizer: Every word of ``DOINGS`` and ``NUMBERS`` is one token of it.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._ids = [
            torch.tensor([tokenizer.encode(word)[0] for word in group])
            for group in (DOINGS, NUMBERS)
        ]

    def loss(self, decoder: Decoder, hidden_BPD: Tensor, labels_BP2: Tensor) -> Tensor:
        """``(B, P, D)`` states at media places and ``(B, P, 2)`` labels -> a scalar."""
        named = (labels_BP2 != UNKNOWN).any(-1)
        hidden_ND = F.rms_norm(hidden_BPD[named].float(), hidden_BPD.shape[-1:])
        logits_NV = decoder.logits(hidden_ND.to(hidden_BPD.dtype)).float()
        labels_N2 = labels_BP2[named]
        said, number = (logits_NV[:, ids] for ids in self._ids)
        # most things rest most of the time: those that do not count as much as all together
        busy = labels_N2[:, 0] > 0
        num_busy = max(1, int(busy.sum()))
        return (
            F.cross_entropy(said, labels_N2[:, 0], ignore_index=UNKNOWN)
            + F.cross_entropy(said[busy], labels_N2[busy, 0], reduction="sum") / num_busy
            + F.cross_entropy(number, labels_N2[:, 1], ignore_index=UNKNOWN)
        )


def narration_labels(scenes: Sequence[Scene], times: Sequence[float], side: int) -> Tensor:
    """``(B, frames * side * side, 2)`` int64: places in ``DOINGS`` and ``NUMBERS`` or ``UNKNOWN``.

    Args:
        scenes: Clips of the batch.
        times: Of the frames looked at.
        side: Places across a tile.
    """
    labels = torch.full((len(scenes), len(times), side * side, 2), UNKNOWN)
    for scene, of_scene in zip(scenes, labels, strict=True):
        for thing in scene.things:
            before: Pose | None = None
            for number, time in enumerate(times):
                now = pose(thing.event, time)
                doing = _doing(thing, before, now)
                if now.visible or doing == "disappear":
                    x, y = (min(0.999, max(0.0, at)) for at in (thing.x + now.dx, thing.y + now.dy))
                    said = UNKNOWN if doing is None else DOINGS.index(doing)
                    place = int(y * side) * side + int(x * side)
                    of_scene[number, place] = torch.tensor([said, number])
                before = now
    return labels.flatten(1, 2)


def _doing(thing: Thing, before: Pose | None, now: Pose) -> str | None:
    """What a thing has done since the frame before; None where there was none."""
    if before is None:
        return None
    if before.visible != now.visible:
        return "appear" if now.visible else "disappear"
    if not now.visible:
        return None
    way = abs(now.dx - before.dx) + abs(now.dy - before.dy)
    growth = abs(now.scale / before.scale - 1)
    kind = thing.event.kind
    if (way > 0.03 and kind in MOVES) or growth > 0.05 or abs(now.turn - before.turn) > 0.1:
        return kind
    # too little to be seen: neither moving nor still
    return "still" if way < 0.01 and growth < 0.02 and now.turn == before.turn else None
