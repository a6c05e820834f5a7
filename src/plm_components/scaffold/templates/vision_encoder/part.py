"""Patches through one convolution and a few MLPs; no patch sees another."""

from __future__ import annotations

from typing import ClassVar

from plm_components.contracts import Grid
from plm_components.errors import ShapeError, SpecError
from torch import Generator, Tensor, nn


class MyPart(nn.Module):
    """The smallest encoder there is: what every patch looks like, and nothing of its neighbours.

    Args:
        dim: Channels of a token.
        num_layers: MLPs behind the convolution, at least one.
        patch_size: Side of a patch in pixels.
        image_size: Side of a tile in pixels.
        layer: Whose output is returned; -1 is the last.

    Shapes:
        pixels_B3HW ``(B, 3, H, W)`` -> ``(B, H/patch_size * W/patch_size, dim)``, row-major.

    Raises:
        ShapeError: a side that patches do not fill.
        SpecError: there is no such layer.
    """

    __plm_kind__: ClassVar[str] = "vision_encoder"

    # pixels arrive normalised with these
    mean = (0.5, 0.5, 0.5)
    std = (0.5, 0.5, 0.5)
    unused_parameters: tuple[str, ...] = ()

    def __init__(
        self,
        *,
        dim: int = 128,
        num_layers: int = 2,
        patch_size: int = 14,
        image_size: int = 112,
        layer: int = -1,
    ) -> None:
        super().__init__()
        if not -num_layers <= layer < num_layers:
            raise SpecError(
                f"There is no layer {layer} of {num_layers}.",
                where="vision_encoder/my_part, option layer",
                expected=f"{-num_layers} to {num_layers - 1}",
                fix="set vision_encoder.layer=-1",
            )
        self.width, self.patch_size, self.image_size = dim, patch_size, image_size
        self.patches = nn.Conv2d(3, dim, patch_size, patch_size)
        # layers behind the one that is returned are not built: nothing would train them
        kept = range(num_layers)[layer] + 1
        self.layers = nn.ModuleList(_mlp(dim) for _ in range(kept))

    def grid(self, height: int, width: int) -> Grid:
        """Patches down and across."""
        if height % self.patch_size or width % self.patch_size or not height or not width:
            raise ShapeError(
                f"A tile of {height}x{width} pixels is no whole number of patches.",
                where="vision_encoder/my_part, input",
                expected=f"sides that divide by patch_size={self.patch_size}",
                fix="choose another image_size",
            )
        return Grid(height // self.patch_size, width // self.patch_size)

    def forward(self, pixels_B3HW: Tensor) -> Tensor:
        """``(B, 3, H, W)`` -> ``(B, h*w, C)``, row-major."""
        self.grid(*pixels_B3HW.shape[2:])
        x_BNC: Tensor = self.patches(pixels_B3HW).flatten(2).mT
        for layer in self.layers:
            x_BNC = x_BNC + layer(x_BNC)
        return x_BNC

    def init_buffers(self) -> None:
        """Does nothing: there are no buffers."""

    def init_weights(self, generator: Generator | None = None) -> None:
        """Normals of deviation ``fan_in ** -0.5``, biases zero, norms at one."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                std = module.weight[0].numel() ** -0.5
                nn.init.normal_(module.weight, std=std, generator=generator)
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.LayerNorm):
                module.reset_parameters()


def _mlp(dim: int) -> nn.Sequential:
    return nn.Sequential(
        nn.LayerNorm(dim), nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim)
    )
