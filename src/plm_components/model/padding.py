"""Rows padded on either side, moved to the right and back.

Everything inside is right-padded; callers of transformers pad where they like.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from plm_components.errors import ShapeError


@dataclass(frozen=True)
class Padding:
    """How far each row's content was moved.

    Args:
        order_BL: For each position inside, the caller's position it came from.
    """

    order_BL: Tensor

    def inside(self, x_BL: Tensor) -> Tensor:
        """The caller's ``(B, L, ...)`` with content first."""
        return self._gather(x_BL, self.order_BL)

    def outside(self, x_BL: Tensor) -> Tensor:
        """Back to the caller's layout."""
        return self._gather(x_BL, self.order_BL.argsort(dim=1))

    @staticmethod
    def _gather(x_BL: Tensor, index_BL: Tensor) -> Tensor:
        index = index_BL.reshape(*index_BL.shape, *[1] * (x_BL.dim() - 2))
        return x_BL.gather(1, index.expand_as(x_BL))


def left_padding(input_ids_BL: Tensor, attention_mask_BL: Tensor | None) -> Padding | None:
    """How to move the rows, or None where they already begin at the left.

    Raises:
        ShapeError: the mask has another shape than the ids, or a row with a hole.
    """
    if attention_mask_BL is None or attention_mask_BL.device.type == "meta":
        return None
    if attention_mask_BL.shape != input_ids_BL.shape:
        raise _wrong_shape(input_ids_BL, attention_mask_BL)
    real_BL = attention_mask_BL.bool()
    order_BL = (~real_BL).to(torch.int8).argsort(dim=1, stable=True)
    _refuse_holes(real_BL)
    begins_left = bool((real_BL[:, 0] | ~real_BL.any(1)).all())
    return None if begins_left else Padding(order_BL)


def _refuse_holes(real_BL: Tensor) -> None:
    # content that is one run begins at most once
    begins_B = (real_BL[:, 1:] & ~real_BL[:, :-1]).sum(1) + real_BL[:, 0]
    holed = (begins_B > 1).nonzero().flatten().tolist()
    if holed:
        raise ShapeError(
            f"attention_mask has a hole in row {holed[0]}.",
            where="PerceptionLM.forward, attention_mask",
            expected="ones in one run a row, zeros before or behind it",
            fix="pad each row on one side only",
        )


def _wrong_shape(input_ids_BL: Tensor, attention_mask_BL: Tensor) -> ShapeError:
    return ShapeError(
        f"attention_mask is {tuple(attention_mask_BL.shape)}, "
        f"input_ids {tuple(input_ids_BL.shape)}.",
        where="PerceptionLM.forward, attention_mask",
        expected="one entry a token",
        fix="pass the attention_mask that came with the input_ids, without the cache's positions",
    )
