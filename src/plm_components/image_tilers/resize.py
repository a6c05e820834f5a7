"""PIL's bicubic stretch, the resizer PerceptionLM was trained with for images."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor


def stretch(image: Image.Image, width: int, height: int) -> Image.Image:
    """The image at exactly this size; PIL's bicubic always antialiases."""
    return image.resize((width, height), Image.Resampling.BICUBIC)


def to_tensor(image: Image.Image) -> Tensor:
    """PIL RGB -> uint8 ``(3, H, W)``."""
    # a copy: PIL's buffer is read-only, which torch refuses to promise
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()
