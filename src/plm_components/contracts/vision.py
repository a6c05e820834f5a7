"""What a vision encoder and a projector promise."""

from __future__ import annotations

from typing import ClassVar, Protocol, runtime_checkable

from torch import Generator, Tensor

from plm_components.contracts.shapes import Grid


@runtime_checkable
class VisionEncoder(Protocol):
    """Tiles or frames in, one token per patch out; every prefix token stripped.

    Pixels arrive normalised with ``mean`` and ``std`` (by the Processor, never by the encoder).
    """

    __plm_kind__: ClassVar[str] = "vision_encoder"

    width: int
    patch_size: int
    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    # parameters that get no gradient and had to stay, by name; usually empty
    unused_parameters: tuple[str, ...]

    def grid(self, height: int, width: int) -> Grid:
        """The token grid of a ``height x width`` tile; ShapeError where the backbone cannot."""
        ...

    def forward(self, pixels_B3HW: Tensor) -> Tensor:
        """``(B, 3, H, W)`` -> ``(B, h*w, C)``, row-major."""
        ...

    def init_buffers(self) -> None:
        """Recomputes every non-persistent buffer, after ``to_empty``."""
        ...

    def init_weights(self, generator: Generator | None = None) -> None:
        """Fills every parameter at random."""
        ...


@runtime_checkable
class Projector(Protocol):
    """Vision tokens of one tile to decoder embeddings; each tile alone in version 1."""

    __plm_kind__: ClassVar[str] = "projector"

    def num_tokens(self, grid: Grid) -> int:
        """Embeddings a tile becomes; ShapeError where the grid does not fit."""
        ...

    def out_grid(self, grid: Grid) -> Grid | None:
        """The grid after the projector, or None where there is none (a resampler)."""
        ...

    def forward(self, tokens_BNC: Tensor, grid: Grid) -> Tensor:
        """``(B, h*w, in_dim)`` -> ``(B, M, out_dim)``."""
        ...

    def init_buffers(self) -> None:
        """Recomputes every non-persistent buffer, after ``to_empty``."""
        ...

    def init_weights(self, generator: Generator | None = None) -> None:
        """Fills every parameter at random."""
        ...
