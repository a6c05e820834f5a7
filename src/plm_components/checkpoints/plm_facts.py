"""What a PerceptionLM consists of in anyone's format, read from a resolved spec.

Types and options are data here: no component is imported. ``inexpressible`` says beforehand
whether a spec is a PerceptionLM at all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from plm_components.checkpoints.plm_sizes import PLMSizes
from plm_components.spec import Part, SpecTree

# the parts whose tensors the formats hold; kernels beneath them (attention, pooling) own none, and
# each is the same function by its contract
ENCODER, PROJECTOR, DECODER = "pe", "avg_pool_mlp", "llama"
# the same tensors and the same function
BLOCKS = ("prenorm_gqa_swiglu", "fused_prenorm_gqa_swiglu")


@dataclass(frozen=True)
class PLMFacts:
    """Options of the four parts that hold tensors, defaults filled in.

    Args:
        encoder: Of ``vision_encoder/pe``.
        projector: Of ``projector/avg_pool_mlp``.
        decoder: Of ``decoder/llama``.
        block: Of ``decoder_block/prenorm_gqa_swiglu``, fused or not.
    """

    encoder: Mapping[str, Any]
    projector: Mapping[str, Any]
    decoder: Mapping[str, Any]
    block: Mapping[str, Any]

    @property
    def vision_layers(self) -> int:
        """Blocks up to the tapped one: there is no norm behind them, so this is the encoder."""
        layer: int = self.encoder["layer"]
        return layer + 1 if layer >= 0 else int(self.encoder["num_layers"]) + 1 + layer

    @property
    def grid_side(self) -> int:
        """Tokens along a side of a native tile, before pooling."""
        return int(self.encoder["image_size"]) // int(self.encoder["patch_size"])

    @property
    def mlp_ratio(self) -> float:
        """The ratio from which ``int(dim * ratio)`` gives ``ffn_dim`` again."""
        dim, wanted = self.encoder["dim"], self.encoder["ffn_dim"]
        return _just_enough(wanted / dim, lambda ratio: int(dim * ratio), wanted)

    @property
    def head_dim(self) -> int:
        """Channels of one head of the decoder."""
        return int(self.block["head_dim"] or self.decoder["dim"] // self.block["num_heads"])

    @property
    def scales_rope(self) -> bool:
        """Whether the decoder's slow frequencies are divided."""
        return bool(self.decoder["rope_scale_factor"] != 1)

    @property
    def sizes(self) -> PLMSizes:
        """What decides the names of the tensors."""
        return PLMSizes(
            vision_layers=self.vision_layers,
            class_token=self.encoder["class_token"],
            layer_scale=self.encoder["layer_scale"] is not None,
            decoder_layers=self.decoder["num_layers"],
            num_heads=self.block["num_heads"],
            num_kv_heads=self.block["num_kv_heads"],
            tied=self.decoder["tie_embeddings"],
        )


def plm_facts(tree: SpecTree) -> PLMFacts:
    """Reads a spec that ``inexpressible`` has nothing against."""
    decoder = part_of(tree, "decoder")
    return PLMFacts(
        encoder=part_of(tree, "vision_encoder").options,
        projector=part_of(tree, "projector").options,
        decoder=decoder.options,
        block=decoder.children["block"].options,
    )


def part_of(tree: SpecTree, slot: str) -> Part:
    """The part in a slot that every spec fills."""
    part = tree.parts[slot]
    assert part is not None
    return part


def vision_input(tree: SpecTree) -> tuple[str, int] | None:
    """``vision_input_type`` and ``max_num_tiles`` of PerceptionLM's formats, if they can say it."""
    tiler = tree.parts["image_tiler"]
    if tiler is None or tiler.entry.name == "single":
        return "vanilla", 1
    if tiler.entry.name == "plm_tiles" and tiler.options["thumbnail"]:
        return "thumb+tile", tiler.options["max_tiles"]
    return None


def max_frames_of(tree: SpecTree) -> int | None:
    """The most frames of a video, where they are spread as PerceptionLM spreads them."""
    sampler = tree.parts["video_sampler"]
    if sampler is None or sampler.entry.name != "plm_uniform":
        return None
    return int(sampler.options["max_frames"])


def ffn_rule(facts: PLMFacts) -> tuple[float, int]:
    """``ffn_dim_multiplier`` and ``multiple_of`` from which Llama's rule gives ``ffn_dim``.

    The rule: two thirds of ``4 * dim``, times the multiplier, rounded up to the multiple. The
    multiplier with the fewest digits is taken, the published ones where they fit.
    """
    dim, wanted = facts.decoder["dim"], facts.block["ffn_dim"]
    start = int(2 * (4 * dim) / 3)
    multiple = math.gcd(wanted, 256)
    for digits in range(1, 6):
        # the middle of what is rounded up to ``wanted``
        multiplier = round((wanted - multiple / 2) / start, digits)
        if _rounded_up(int(multiplier * start), multiple) == wanted:
            return multiplier, multiple
    exact = _just_enough(wanted / start, lambda ratio: int(ratio * start), wanted)
    return exact, multiple


def _rounded_up(size: int, multiple: int) -> int:
    return multiple * -(-size // multiple)


def _just_enough(ratio: float, size: Any, wanted: int) -> float:
    """The ratio, or the next floats above it, until rounding down gives what is wanted."""
    while size(ratio) < wanted:
        ratio = math.nextafter(ratio, math.inf)
    return ratio
