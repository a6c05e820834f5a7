"""Any timm backbone with spatial features as a vision encoder."""

from __future__ import annotations

from textwrap import shorten
from typing import Any, ClassVar

from torch import Generator, Tensor, nn

from plm_components.contracts import CheckpointHeader, Grid, Reading, refuse_differing
from plm_components.errors import ShapeError, UnsupportedError
from plm_components.vision_encoders.fresh_weights import draw_fresh
from plm_components.vision_encoders.meta_trace import output_shape, remove_idle, trace
from plm_components.vision_encoders.pixels import (
    bad_option,
    normal_layer,
    refuse_size,
    require_pixels,
)
from plm_components.vision_encoders.timm_backbone import ADDRESS, create_backbone
from plm_components.vision_encoders.timm_files import (
    backbone_of,
    reading_of,
    refuse_other_architecture,
    structure,
    timm_tower,
)


class TimmVisionEncoder(nn.Module):
    """A timm backbone; PerceptionLM's PE-Lang by default.

    Every layout becomes row-major tokens: maps ``(B, C, h, w)`` of convnets, maps ``(B, h, w, C)``
    of Swin and its like, and sequences, whose class and register tokens are stripped. Heads and
    layers behind the tap are removed; the names of what is left keep timm's spelling under
    ``backbone.``.

    A tile of another size than ``image_size`` gets timm's own treatment: learned positions
    resampled bicubically with antialiasing, rotary positions scaled to the native grid. Perception
    Encoders themselves resample bilinearly and do not scale, so off their native grid the outputs
    differ from theirs; on it they are the same. Their rotary grid counts ``image_size /
    patch_size`` positions whatever the size they are built with.

    Args:
        model: Name in ``timm.list_models()``.
        image_size: Side of a tile in pixels; None for the model's own.
        layer: Whose output to take: a block of a ViT, a stage of a hierarchical backbone (timm's
            feature index), negative from the end. -1 is the last, with the model's final norm;
            others come without it, and what lies behind them is removed.
        model_args: Further arguments of the timm model, say ``{embed_dim: 128, depth: 3}``.

    Shapes:
        pixels_B3HW ``(B, 3, H, W)`` -> ``(B, h*w, width)``, ``Grid(h, w) = grid(H, W)``.

    Raises:
        SpecError: no such model, layer or argument.
        ShapeError: the backbone cannot take tiles of this size.
        UnsupportedError: the backbone has no spatial features.
    """

    __plm_kind__: ClassVar[str] = "vision_encoder"

    # timm's models share names, not a type
    backbone: Any

    def __init__(
        self,
        *,
        model: str = "vit_pe_lang_large_patch14_448",
        image_size: int | None = None,
        layer: int = -1,
        model_args: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self._recipe = (model, image_size, model_args)
        self.backbone = create_backbone(*self._recipe)
        self.image_size = image_size or _native_size(model, self.backbone)
        if model.startswith("vit_pe_") and "ref_feat_shape" not in (model_args or {}):
            _count_rotary_positions(self.backbone)
        self.layer = normal_layer(ADDRESS, layer, max(len(_feature_info(self.backbone)), 1))
        if self.layer != -1 and not hasattr(self.backbone, "forward_intermediates"):
            raise _no_features(model, "features of inner layers", "set vision_encoder.layer=-1")
        self._grids: dict[tuple[int, int], Grid] = {}
        self._take_shape_from_meta(model)

    def _take_shape_from_meta(self, model: str) -> None:
        size = self.image_size
        try:
            seen = trace(self, self._features, size, size)
        except Exception as error:
            raise self._refuse(size, size, error) from error
        self.unused_parameters = remove_idle(self, seen)
        self._is_map = len(seen.output) == 4
        self._channels_last = self._is_map and self._map_is_nhwc(seen.output)
        if len(seen.output) not in (3, 4):
            raise _no_features(model, "spatial features", "choose a backbone with a token grid")
        self.width = seen.output[1 if self._is_map and not self._channels_last else -1]
        native = self.grid(size, size)
        self.patch_size = self._pixels_per_token(native)
        config = self.backbone.pretrained_cfg
        self.mean = _three(config["mean"])
        self.std = _three(config["std"])

    def _pixels_per_token(self, native: Grid) -> int:
        info = _feature_info(self.backbone)
        stride = int(info[self.layer]["reduction"]) if info else 0
        # a grid of 240 / 32 is rounded up by one convnet and down by another
        if stride and native.h in (self.image_size // stride, -(-self.image_size // stride)):
            return stride
        return self.image_size // native.h

    def _map_is_nhwc(self, shape: tuple[int, ...]) -> bool:
        # forward_intermediates always gives NCHW; forward_features gives the model's own
        return self.layer == -1 and getattr(self.backbone, "output_fmt", "NCHW") == "NHWC"

    def grid(self, height: int, width: int) -> Grid:
        """The token grid of a ``height x width`` tile.

        Exact, from shapes alone: the backbone runs once on the meta device for each new size.

        Raises:
            ShapeError: the backbone cannot take tiles of this size.
        """
        if (height, width) not in self._grids:
            try:
                self._grids[height, width] = self._traced_grid(height, width)
            except UnsupportedError:
                raise
            except Exception as error:
                raise self._refuse(height, width, error) from error
        return self._grids[height, width]

    def _traced_grid(self, height: int, width: int) -> Grid:
        if _fixed_size(self.backbone) and (height, width) != (self.image_size, self.image_size):
            raise ValueError("its tables of relative positions have one size")
        shape = output_shape(self, self._features, height, width)
        if self._is_map:
            return Grid(*shape[1:3]) if self._channels_last else Grid(*shape[2:])
        grid = Grid(*self._token_grid(height, width))
        if grid.num_tokens + self._num_prefix_tokens != shape[1]:
            raise _no_features(self._recipe[0], "token grid", "choose another backbone")
        return grid

    def _token_grid(self, height: int, width: int) -> tuple[int, int]:
        patch_embed: Any = getattr(self.backbone, "patch_embed", None)
        num_blocks = len(_feature_info(self.backbone))
        if hasattr(patch_embed, "dynamic_feat_size"):
            h, w = patch_embed.dynamic_feat_size((height, width))
            return int(h), int(w)
        if not hasattr(self.backbone, "forward_intermediates"):
            raise _no_features(self._recipe[0], "token grid", "choose another backbone")
        shape = output_shape(
            self, lambda pixels: self._intermediate(pixels, num_blocks - 1), height, width
        )
        return shape[2], shape[3]

    @property
    def _num_prefix_tokens(self) -> int:
        return int(getattr(self.backbone, "num_prefix_tokens", 0))

    def _features(self, pixels_B3HW: Tensor) -> Tensor:
        if self.layer != -1:
            return self._intermediate(pixels_B3HW, len(_feature_info(self.backbone)) + self.layer)
        features = self.backbone.forward_features(pixels_B3HW)
        return features if isinstance(features, Tensor) else features[-1]

    def _intermediate(self, pixels_B3HW: Tensor, index: int) -> Tensor:
        maps = self.backbone.forward_intermediates(
            pixels_B3HW, indices=[index], stop_early=True, intermediates_only=True
        )
        map_BChw: Tensor = maps[0]
        return map_BChw

    def forward(self, pixels_B3HW: Tensor) -> Tensor:
        """``(B, 3, H, W)`` -> ``(B, h*w, C)``, row-major, every prefix token stripped."""
        grid = self.grid(*require_pixels(ADDRESS, pixels_B3HW))
        if len(pixels_B3HW) == 0:  # attention kernels refuse an empty batch
            return pixels_B3HW.new_empty(0, grid.num_tokens, self.width)
        features = self._features(pixels_B3HW)
        if not self._is_map:
            return features[:, self._num_prefix_tokens :]
        return features.flatten(1, 2) if self._channels_last else features.flatten(2).mT

    def init_buffers(self) -> None:
        """Recomputes rotary tables, relative position indices and attention masks."""
        for module in self.backbone.modules():
            # timm's own hook for this; every timm module with such buffers has it
            if hasattr(module, "init_non_persistent_buffers"):
                module.init_non_persistent_buffers()

    def init_weights(self, generator: Generator | None = None) -> None:
        """Fills every parameter and persistent buffer as timm does for this model."""
        draw_fresh(self.backbone, lambda: create_backbone(*self._recipe), generator)

    def reading(self, header: CheckpointHeader) -> Reading:
        """Timm's own checkpoints, and the tower of a PerceptionLM or another timm wrapper.

        Raises:
            CheckpointError: a checkpoint of something else, or of a backbone built otherwise.
        """
        prefix, config = timm_tower(header)
        model, _, model_args = self._recipe
        refuse_other_architecture(header, config, model)
        if config.get("architecture"):
            whole = backbone_of(config)
            ours, theirs = structure(self.backbone), structure(whole)
            refuse_differing(
                {name: theirs.get(name) for name in ours}, ours, options="vision_encoder"
            )
        else:
            whole = backbone_of({"architecture": model, "model_args": model_args})
        names = {f"backbone.{name}": name for name in self.backbone.state_dict()}
        counters = [name for name in names if name.endswith(".num_batches_tracked")]
        return reading_of(
            header,
            prefix,
            names,
            set(whole.state_dict()) - set(names.values()),
            may_be_absent=[*self.unused_parameters, *counters],
        )

    def _refuse(self, height: int, width: int, error: Exception) -> ShapeError:
        reason = shorten(str(error) or type(error).__name__, 120, placeholder=" …")
        native = self.image_size
        return refuse_size(
            f"{ADDRESS} ({self._recipe[0]})",
            height,
            width,
            expected=f"a size that timm's backbone takes ({reason})",
            fix=f"use tiles of {native}x{native}, or set vision_encoder.image_size",
        )


def _feature_info(backbone: Any) -> list[Any]:
    return list(getattr(backbone, "feature_info", ()))


def _fixed_size(backbone: Any) -> bool:
    # looks relative positions up beyond the end of their table, which shapes do not show
    return type(backbone).__name__ == "MultiScaleVit"


def _three(values: Any) -> tuple[float, float, float]:
    first, second, third = (float(value) for value in values)
    return first, second, third


def _native_size(model: str, backbone: Any) -> int:
    _, height, width = backbone.pretrained_cfg["input_size"]
    if height != width:
        raise bad_option(
            f"{model} was made for {height}x{width} pixels, which is no square tile.",
            where=ADDRESS,
            option="image_size",
            expected="the side of a tile, in pixels",
            fix=f"set vision_encoder.image_size={height}",
        )
    return int(height)


def _count_rotary_positions(backbone: Any) -> None:
    # timm scales positions to the grid the published model was trained on; Perception Encoders
    # count 0, 1, 2, ... at any size (arXiv 2504.13181), so the native grid is the reference
    rope: Any = getattr(backbone, "rope", None)
    if getattr(rope, "ref_feat_shape", None) is not None:
        rope.ref_feat_shape = backbone.patch_embed.grid_size
        rope.init_non_persistent_buffers()


def _no_features(model: str, what: str, fix: str) -> UnsupportedError:
    return UnsupportedError(
        f"timm's {model} gives no {what}.",
        where=f"{ADDRESS}, option model",
        expected="a backbone whose features keep the image's rows and columns",
        fix=fix,
    )
