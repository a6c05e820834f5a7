"""Vision towers of transformers as vision encoders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor, nn
from transformers import AutoModel

from plm_components.contracts import CheckpointHeader, Grid, Reading
from plm_components.vision_encoders.fresh_weights import draw_fresh
from plm_components.vision_encoders.hf_config import (
    ADDRESS,
    published_normalisation,
    tower_config,
)
from plm_components.vision_encoders.hf_families import FAMILIES
from plm_components.vision_encoders.hf_files import read_tower
from plm_components.vision_encoders.meta_trace import remove_idle, trace
from plm_components.vision_encoders.pixels import (
    bad_option,
    normal_layer,
    refuse_size,
    require_pixels,
)


class HFVisionEncoder(nn.Module):
    """SigLIP, fixed-resolution SigLIP 2, CLIP, DINOv2 (with registers), DINOv3 (ViT, ConvNeXt).

    Class and register tokens are stripped, pooling heads are removed, and the names of what is
    left keep transformers' spelling under ``backbone.``. Remote code is never run.

    A tile of another size than the native one gets transformers' own interpolation of learned
    positions (bicubic; with antialiasing in DINOv2 with registers); DINOv3 scales its rotary
    positions, convnets need nothing. Sides must be multiples of ``patch_size``, except the native
    size, where a border narrower than a patch is dropped as published (SigLIP at 384/14).

    Args:
        path: Local directory or hub id; its configuration is read, and its normalisation if it
            has one. Weights are a key of the spec, never read here.
        config: Inline configuration with ``model_type``, instead of a path.
        layer: Whose output to take: a block (a stage of a ConvNeXt), negative from the end. -1 is
            the last hidden state of the tower, with its final norm where it has one; others come
            without it, and what lies behind them is removed.

    Attributes:
        normalisation_from: Where ``mean`` and ``std`` come from.

    Shapes:
        pixels_B3HW ``(B, 3, H, W)`` -> ``(B, h*w, width)``, ``Grid(h, w) = grid(H, W)``.

    Raises:
        SpecError: no such layer, or a configuration that is none.
        UnsupportedError: a tower of another family, or the NaFlex SigLIP 2.
        ShapeError: the tower cannot take tiles of this size.
    """

    __plm_kind__: ClassVar[str] = "vision_encoder"

    # towers share names, not a type
    backbone: Any

    def __init__(
        self,
        *,
        path: str | None = None,
        config: dict[str, Any] | None = None,
        layer: int = -1,
    ) -> None:
        super().__init__()
        self.config = tower_config(path, config)
        self.image_size: int = self.config.image_size
        self._family = FAMILIES[self.config.model_type]
        self.mean, self.std, self.normalisation_from = published_normalisation(
            path, self.config.model_type
        )
        self.backbone = _build(self.config)
        layers = self.backbone.get_submodule(self._family.layers)
        self.layer = normal_layer(ADDRESS, layer, len(layers))
        self._tap()
        self.patch_size = self._pixels_per_token()
        seen = trace(self, self._hidden, self.image_size, self.image_size)
        self.width = seen.output[-1]
        self.unused_parameters = remove_idle(self, seen)

    @classmethod
    def local_files(cls, **options: object) -> dict[str, list[Path]]:
        """Configurations in a directory here; a hub id names none."""
        directory = Path(str(options.get("path") or "")).expanduser()
        files = [directory / name for name in ("config.json", "preprocessor_config.json")]
        here = [file for file in files if options.get("path") and file.is_file()]
        return {"path": here} if here else {}

    def _tap(self) -> None:
        """Removes heads, and with an inner layer everything behind it."""
        for head in self._family.heads:
            self.backbone.set_submodule(head, nn.Identity())
        if self.layer == -1:
            return
        layers = self.backbone.get_submodule(self._family.layers)
        self.backbone.set_submodule(self._family.layers, layers[: self.layer + 1])
        if self._family.final_norm is not None:
            self.backbone.set_submodule(self._family.final_norm, nn.Identity())

    def _pixels_per_token(self) -> int:
        if hasattr(self.config, "patch_size"):
            return int(self.config.patch_size)
        # a ConvNeXt: the stem divides by four, each later stage by two
        num_stages = len(self.backbone.get_submodule(self._family.layers))
        return 4 << (num_stages - 1)

    def grid(self, height: int, width: int) -> Grid:
        """The token grid of a ``height x width`` tile.

        Raises:
            ShapeError: a side is no multiple of ``patch_size``, and the tile is not native.
        """
        patch = self.patch_size
        native = height == width == self.image_size
        if min(height, width) < patch or (not native and (height % patch or width % patch)):
            raise refuse_size(
                f"{ADDRESS} ({self.config.model_type})",
                height,
                width,
                expected=f"sides that are multiples of patch_size={patch}",
                fix=f"use tiles of {self.image_size}x{self.image_size}",
            )
        return Grid(height // patch, width // patch)

    def forward(self, pixels_B3HW: Tensor) -> Tensor:
        """``(B, 3, H, W)`` -> ``(B, h*w, C)``, row-major, every prefix token stripped."""
        grid = self.grid(*require_pixels(ADDRESS, pixels_B3HW))
        if len(pixels_B3HW) == 0:  # attention kernels refuse an empty batch
            return pixels_B3HW.new_empty(0, grid.num_tokens, self.width)
        return self._hidden(pixels_B3HW)

    def _hidden(self, pixels_B3HW: Tensor) -> Tensor:
        options: dict[str, bool] = {}
        if self._family.interpolate:
            native = (self.image_size, self.image_size)
            options["interpolate_pos_encoding"] = tuple(pixels_B3HW.shape[2:]) != native
        hidden: Tensor = self.backbone(pixels_B3HW, **options).last_hidden_state
        return hidden[:, self._family.prefix(self.config) :]

    def reading(self, header: CheckpointHeader) -> Reading:
        """Directories of transformers: the tower alone, or a model of two towers that holds it.

        Raises:
            CheckpointError: another kind of tower, or one of other sizes.
        """
        found = read_tower(self.backbone, self.config, header)
        return replace(found, may_be_absent=self.unused_parameters)

    def init_buffers(self) -> None:
        """Recomputes position ids and rotary frequencies."""
        for module in self.backbone.modules():
            for name, compute in _BUFFERS.items():
                buffer = dict(module.named_buffers(recurse=False)).get(name)
                if buffer is not None:
                    buffer.copy_(compute(module, buffer))

    def init_weights(self, generator: Generator | None = None) -> None:
        """Fills every parameter as transformers does for this tower."""
        draw_fresh(self.backbone, lambda: _build(self.config), generator)

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> HFVisionEncoder:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        for module in self.backbone.modules():
            inv_freq = getattr(module, "inv_freq", None)
            # a cast to bf16 would round the frequencies and so turn every angle
            if isinstance(inv_freq, Tensor) and inv_freq.dtype != torch.float32:
                module.inv_freq = torch.empty_like(inv_freq, dtype=torch.float32)
                module.inv_freq.copy_(_rotary_frequencies(module, module.inv_freq))
        return self


def _position_ids(_: nn.Module, buffer: Tensor) -> Tensor:
    return torch.arange(buffer.shape[-1], device=buffer.device).expand_as(buffer)


def _rotary_frequencies(module: Any, buffer: Tensor) -> Tensor:
    exponent = torch.arange(0, 1, 4 / module.head_dim, dtype=torch.float32, device="cpu")
    frequencies: Tensor = 1 / module.base**exponent
    return frequencies.to(buffer.device)


_BUFFERS = {"position_ids": _position_ids, "inv_freq": _rotary_frequencies}


def _build(config: Any) -> nn.Module:
    switch = FAMILIES[config.model_type].head_switch
    if switch is not None:
        # transformers before 5.18 read it without declaring it
        setattr(config, switch, False)
    try:
        model: nn.Module = AutoModel.from_config(config, trust_remote_code=False)
    except Exception as error:
        raise bad_option(
            f"transformers cannot build this: {error or type(error).__name__}",
            where=ADDRESS,
            option=f"config (model_type {config.model_type})",
            expected="a configuration that makes a model",
            fix="correct the value that transformers names",
        ) from error
    return model
