"""Perception Encoder, native: its attention kernel is a part of the spec."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import interpolate

from plm_components.contracts import Attention, CheckpointHeader, DefaultPart, Grid, Reading
from plm_components.kernels.rotary import AxialRotary
from plm_components.vision_encoders.pe_block import PEBlock, draw_uniform
from plm_components.vision_encoders.pe_files import read_timm_pe
from plm_components.vision_encoders.pixels import (
    bad_option,
    normal_layer,
    refuse_size,
    require_pixels,
)

_ADDRESS = "vision_encoder/pe"


class PEVisionEncoder(nn.Module):
    """Perception Encoder as PerceptionLM uses it; by default PE-Lang L14-448 of PLM-1B and 3B.

    Learned and rotary positions, no final norm, no head. Parameters have timm's names
    (``vit_pe_lang_*``), so its checkpoints load key by key. Rotary tables are fp32 whatever the
    model's dtype. PLM-8B's encoder is ``dim=1536, num_layers=47, ffn_dim=8960,
    class_token=False``; encoders of PLM's first stage have ``layer_scale=None``.

    Args:
        dim: Channels of a token.
        num_layers: Blocks of the whole encoder, whichever is tapped.
        num_heads: Attention heads; their size must be a multiple of 4.
        ffn_dim: Channels between the two layers of an MLP.
        attention: Kernel that does the softmax.
        patch_size: Side of a patch in pixels.
        image_size: Side of a native tile in pixels; it decides how many positions are learned.
        class_token: Prepend a class token, and count positions from 1 instead of 0.
        layer_scale: Start of the learned gates of each branch; None leaves the gates out.
        drop_path: Chance that a tile skips a branch, in training only: the same in every block as
            published, where timm lets it grow with depth. PLM trains with 0.1.
        norm_eps: Added to the variance in every norm.
        off_native: How a tile of another size than ``image_size`` gets its positions:
            ``reference`` resamples the learned ones bilinearly without antialiasing and counts the
            rotary ones on; ``timm`` resamples bicubically with antialiasing and scales the rotary
            ones to the native grid. On a native tile the two are the same.
        layer: Whose block's output to take, negative from the end; -1 is the last. Blocks behind
            it are not built.

    Shapes:
        pixels_B3HW ``(B, 3, H, W)`` -> ``(B, h*w, dim)``, row-major, the class token stripped.

    Raises:
        SpecError: sizes that do not fit each other, or an option out of its range.
        ShapeError: a side of the tile is no multiple of ``patch_size``.

    Source:
        Perception Encoder, arXiv 2504.13181; PerceptionLM, arXiv 2504.13180.
    """

    compiles: ClassVar[bool] = True
    __plm_kind__: ClassVar[str] = "vision_encoder"

    def __init__(
        self,
        *,
        attention: Annotated[Attention, DefaultPart("sdpa")],
        dim: int = 1024,
        num_layers: int = 23,
        num_heads: int = 16,
        ffn_dim: int = 4096,
        patch_size: int = 14,
        image_size: int = 448,
        class_token: bool = True,
        layer_scale: float | None = 0.1,
        drop_path: float = 0.0,
        norm_eps: float = 1e-5,
        off_native: Literal["reference", "timm"] = "reference",
        layer: int = -1,
    ) -> None:
        super().__init__()
        _require_positive(
            dim=dim,
            num_layers=num_layers,
            num_heads=num_heads,
            ffn_dim=ffn_dim,
            patch_size=patch_size,
            image_size=image_size,
        )
        _require_heads(dim, num_heads)
        _require_patches(image_size, patch_size)
        _require_rate(drop_path)
        self.layer = normal_layer(_ADDRESS, layer, num_layers)
        # what a checkpoint's configuration is compared with
        self.sizes = {
            "dim": dim,
            "num_layers": num_layers,
            "num_heads": num_heads,
            "ffn_dim": ffn_dim,
            "patch_size": patch_size,
            "image_size": image_size,
            "class_token": class_token,
            "layer_scale": layer_scale is not None,
            "norm_eps": norm_eps,
        }
        self.width, self.patch_size, self.image_size = dim, patch_size, image_size
        self.mean = self.std = (0.5, 0.5, 0.5)
        self.unused_parameters: tuple[str, ...] = ()
        self.off_native = off_native
        self.patch_embed = _PatchEmbed(dim, patch_size)
        self.num_prefix = int(class_token)
        self.cls_token = nn.Parameter(torch.empty(1, 1, dim)) if class_token else None
        num_positions = self.num_prefix + self._native.num_tokens
        self.pos_embed = nn.Parameter(torch.empty(1, num_positions, dim))
        self.rotary = AxialRotary(
            dim // num_heads, num_prefix=self.num_prefix, first=self.num_prefix
        )
        self.norm_pre = nn.LayerNorm(dim, norm_eps)
        self.blocks = nn.ModuleList(
            PEBlock(
                dim,
                num_heads,
                ffn_dim,
                attention,
                layer_scale=layer_scale,
                drop_path=drop_path,
                norm_eps=norm_eps,
            )
            for _ in range(num_layers + 1 + self.layer)
        )
        self.init_weights()

    def reading(self, header: CheckpointHeader) -> Reading:
        """Timm's checkpoints of Perception Encoders, and the tower of a PerceptionLM.

        A final norm and a pooling head, which PE-Core has, are passed over, as when PerceptionLM
        starts from one.

        Raises:
            CheckpointError: a checkpoint of something else, or of a Perception Encoder built
                otherwise.
        """
        return read_timm_pe(self, header)

    @property
    def _blocks(self) -> list[PEBlock]:
        return list(self.blocks)  # type: ignore[arg-type]

    @property
    def _native(self) -> Grid:
        side = self.image_size // self.patch_size
        return Grid(side, side)

    def grid(self, height: int, width: int) -> Grid:
        """The token grid of a ``height x width`` tile.

        Raises:
            ShapeError: a side is no multiple of ``patch_size``.
        """
        patch = self.patch_size
        if height < patch or width < patch or height % patch or width % patch:
            raise refuse_size(
                _ADDRESS,
                height,
                width,
                expected=f"sides that are multiples of patch_size={patch}",
                fix=f"use tiles of {self.image_size}x{self.image_size}",
            )
        return Grid(height // patch, width // patch)

    def forward(self, pixels_B3HW: Tensor) -> Tensor:
        """``(B, 3, H, W)`` -> ``(B, h*w, C)``, row-major, the class token stripped."""
        grid = self.grid(*require_pixels(_ADDRESS, pixels_B3HW))
        if len(pixels_B3HW) == 0:  # attention kernels refuse an empty batch
            return pixels_B3HW.new_empty(0, grid.num_tokens, self.width)
        x_BLC: Tensor = self.norm_pre(self._embedded(pixels_B3HW, grid))
        rotary = self.rotary(grid, self._rotary_extent(grid))
        for block in self._blocks:
            x_BLC = block(x_BLC, rotary)
        return x_BLC[:, self.num_prefix :]

    def _embedded(self, pixels_B3HW: Tensor, grid: Grid) -> Tensor:
        x_BLC: Tensor = self.patch_embed(pixels_B3HW)
        if self.cls_token is not None:
            x_BLC = torch.cat((self.cls_token.expand(len(x_BLC), -1, -1), x_BLC), dim=1)
        return x_BLC + self._learned_positions(grid)

    def _learned_positions(self, grid: Grid) -> Tensor:
        if grid == self._native:
            return self.pos_embed
        prefix_1PC, patches_1NC = self.pos_embed.tensor_split([self.num_prefix], dim=1)
        wide = torch.promote_types(self.pos_embed.dtype, torch.float32)
        # contiguous: channels last and antialiased, torch 2.15 errs on grids of a single column
        map_1Chw = patches_1NC.to(wide).mT.contiguous().view(1, self.width, *self._native)
        bicubic = self.off_native == "timm"
        map_1Chw = interpolate(
            map_1Chw,
            size=tuple(grid),
            mode="bicubic" if bicubic else "bilinear",
            align_corners=False,
            antialias=bicubic,
        )
        return torch.cat((prefix_1PC, map_1Chw.flatten(2).mT.to(prefix_1PC.dtype)), dim=1)

    def _rotary_extent(self, grid: Grid) -> Grid | None:
        # timm scales on the native grid too, where that changes nothing but the rounding
        return self._native if self.off_native == "timm" and grid != self._native else None

    def init_buffers(self) -> None:
        """Recomputes the rotary frequencies."""
        self.rotary.init_buffers()

    def init_weights(self, generator: Generator | None = None) -> None:
        """As published: positions and class token of deviation ``dim ** -0.5``, see the blocks."""
        draw_uniform(self.patch_embed.proj, generator)
        for table in (self.cls_token, self.pos_embed):
            if table is not None:
                nn.init.normal_(table, std=self.width**-0.5, generator=generator)
        self.norm_pre.reset_parameters()
        for block in self._blocks:
            block.init_weights(generator)


class _PatchEmbed(nn.Module):
    def __init__(self, dim: int, patch_size: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, dim, patch_size, stride=patch_size, bias=False)

    def forward(self, pixels_B3HW: Tensor) -> Tensor:
        patches_BNC: Tensor = self.proj(pixels_B3HW).flatten(2).mT
        return patches_BNC


def _require_positive(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise bad_option(
                f"{name} is {size}.",
                where=_ADDRESS,
                option=name,
                expected="an integer of at least 1",
                fix=f"set vision_encoder.{name} to 1 or more",
            )


def _require_heads(dim: int, num_heads: int) -> None:
    if dim % (4 * num_heads):
        raise bad_option(
            f"{dim} channels over {num_heads} heads give no multiple of 4 channels a head.",
            where=_ADDRESS,
            option="num_heads",
            expected="heads of 4, 8, 12, … channels, since pairs of them turn with row and column",
            fix="set vision_encoder.num_heads to a divisor of dim / 4",
        )


def _require_patches(image_size: int, patch_size: int) -> None:
    if image_size % patch_size:
        raise bad_option(
            f"A tile of {image_size} pixels is no whole number of patches of {patch_size}.",
            where=_ADDRESS,
            option="image_size",
            expected=f"a multiple of patch_size={patch_size}",
            fix=f"set vision_encoder.image_size={-(-image_size // patch_size) * patch_size}",
        )


def _require_rate(drop_path: float) -> None:
    if not 0.0 <= drop_path < 1.0:
        raise bad_option(
            f"drop_path is {drop_path}.",
            where=_ADDRESS,
            option="drop_path",
            expected="a chance from 0 up to, but not including, 1",
            fix="set vision_encoder.drop_path=0.1, as PLM trains with, or 0",
        )
