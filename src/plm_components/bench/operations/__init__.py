"""One file, one kind of operation: its inputs, its truth in float64, and what it costs at least."""

from plm_components.bench.operations.attention import attention
from plm_components.bench.operations.pooling import pooling

__all__ = ["attention", "pooling"]
