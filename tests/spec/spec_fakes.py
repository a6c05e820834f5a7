"""Parts without a framework, for tests of specs."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from plm_components.spec import DefaultPart
from plm_components.zoo import Component, Provider, Zoo


class AttentionLike:
    __plm_kind__: ClassVar[str] = "attention"


class BlockLike:
    __plm_kind__: ClassVar[str] = "decoder_block"


class PoolingLike:
    __plm_kind__: ClassVar[str] = "pooling"


class Colour(Enum):
    RED = "r"
    BLUE = "b"


class Encoder:
    def __init__(
        self,
        *,
        model: str = "large",
        path: Path | None = None,
        mean: tuple[float, float, float] = (0.5, 0.5, 0.5),
        sizes: tuple[int, ...] = (),
        layer: int = -1,
        config: dict[str, Any] | None = None,
    ) -> None: ...


class OtherEncoder:
    def __init__(self, *, path: str) -> None: ...


class MLP:
    def __init__(
        self,
        in_dim: int,
        out_dim: int,
        *,
        pool: int = 2,
        temperature: float = 1.0,
        bias: bool = True,
        activation: Literal["gelu", "silu"] = "gelu",
        colour: Colour = Colour.RED,
        scale: float | str = 1.0,
        pooling: Annotated[PoolingLike | None, DefaultPart("mean")],
    ) -> None: ...


class Linear:
    def __init__(self, in_dim: int, out_dim: int, *, bias: bool = True) -> None: ...


class Llama:
    def __init__(
        self,
        *,
        dim: int,
        num_layers: int,
        norm_eps: float = 1e-5,
        block: Callable[[int], BlockLike],
    ) -> None: ...


class Block:
    def __init__(
        self,
        dim: int,
        layer_index: int,
        *,
        num_heads: int,
        rates: list[float] | None = None,
        attention: Annotated[AttentionLike, DefaultPart("plain")],
    ) -> None: ...


class Attention:
    def __init__(self, num_heads: int, num_kv_heads: int, head_dim: int) -> None: ...


class Words:
    def __init__(self, *, words: str | list[str]) -> None: ...


class Tiles:
    def __init__(self, tile_size: int, *, max_tiles: int = 36) -> None: ...


class Bare:
    pass


_ROWS = (
    ("vision_encoder", "vit", "Encoder"),
    ("vision_encoder", "conv", "OtherEncoder"),
    ("projector", "mlp", "MLP"),
    ("projector", "linear", "Linear"),
    ("decoder", "llama", "Llama"),
    ("decoder_block", "prenorm", "Block"),
    ("attention", "plain", "Attention"),
    ("attention", "fast", "Attention"),
    ("pooling", "mean", "Bare"),
    ("tokenizer", "words", "Words"),
    ("image_tiler", "tiles", "Tiles"),
    ("video_reader", "bare", "Bare"),
    ("video_sampler", "gone", "Nowhere"),
)


def fake_zoo() -> Zoo:
    """Every kind that a small spec needs."""
    zoo = Zoo()
    for kind, name, cls in _ROWS:
        zoo.add(Component(kind, name, f"spec_fakes:{cls}"), provider=Provider("plm-fakes", "1.0"))
    return zoo


def small_spec() -> dict[str, Any]:
    """A spec of these parts without a fault."""
    return {
        "vision_encoder": "vit",
        "projector": {"type": "mlp", "pool": 4},
        "decoder": {
            "type": "llama",
            "dim": 8,
            "num_layers": 2,
            "block": {"type": "prenorm", "num_heads": 2},
        },
        "tokenizer": {"type": "words", "words": ["red", "square"]},
    }
