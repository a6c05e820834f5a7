"""One file, one kind of operation: its inputs, its truth in float64, and what it costs at least."""

from plm_components.bench.operations.attention import attention
from plm_components.bench.operations.block_surroundings import BlockSizes
from plm_components.bench.operations.decoder_block import decoder_block
from plm_components.bench.operations.norms import rms_norm
from plm_components.bench.operations.pooling import pooling
from plm_components.bench.operations.projector import projector
from plm_components.bench.operations.rotary import rotary
from plm_components.bench.operations.swiglu import swiglu

__all__ = [
    "BlockSizes",
    "attention",
    "decoder_block",
    "pooling",
    "projector",
    "rms_norm",
    "rotary",
    "swiglu",
]
