"""Liger-Kernel's operators as a decoder block. Declaring it imports neither torch nor triton."""

from collections.abc import Iterator

from plm_components import Component, hookimpl


@hookimpl
def plm_register_components() -> Iterator[Component]:
    """``decoder_block/liger``; unavailable, and listed so, where its kernels cannot run."""
    yield Component(
        "decoder_block",
        "liger",
        "plm_liger_block.liger:LigerBlock",
        summary="prenorm_gqa_swiglu on Liger's fused norm, rotary and SwiGLU; untested here",
        contract=1,
        requires=("liger-kernel>=0.5.3", "triton", "cuda"),
    )
