"""Qwen3's layer for plm_components. Declaring the part imports no torch: its target is text."""

from collections.abc import Iterator
from pathlib import Path

from plm_components import Component, hookimpl


@hookimpl
def plm_register_components() -> Iterator[Component]:
    """``decoder_block/qwen3``."""
    yield Component(
        "decoder_block",
        "qwen3",
        "plm_qwen3_block.qwen3:Qwen3Block",
        summary="Qwen3: queries and keys normalised head by head",
        contract=1,
    )


@hookimpl
def plm_register_specs() -> Iterator[Path]:
    """``siglip2-shuffle-qwen3-native``."""
    yield Path(__file__).parent / "specs" / "siglip2-shuffle-qwen3-native.yaml"
