"""Bicubic stretches: PIL's, which PerceptionLM saw images through, and that of transformers."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

# torchvision is this kernel of torch's on uint8: at most 2 of 255 from PIL's, on few values
Resizer: TypeAlias = Literal["pil", "torchvision"]


def stretch(image: Image.Image, width: int, height: int, resizer: Resizer) -> Tensor:
    """PIL RGB -> uint8 ``(3, height, width)``; both resizers antialias."""
    if resizer == "pil":
        return _to_tensor(image.resize((width, height), Image.Resampling.BICUBIC))
    image_13HW = _to_tensor(image)[None]
    return interpolate(image_13HW, (height, width), mode="bicubic", antialias=True)[0]


def _to_tensor(image: Image.Image) -> Tensor:
    """PIL RGB -> uint8 ``(3, H, W)``."""
    # a copy: PIL's buffer is read-only, which torch refuses to promise
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()
