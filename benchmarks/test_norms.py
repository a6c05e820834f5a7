"""What stands between a decoder layer's products: the norm, rotary turns, SwiGLU's gate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import torch
from torch.func import functional_call
from torch.nn import functional as F

from plm_components.bench.operation import Contender, Function, Operation
from plm_components.bench.operations import rms_norm, rotary, swiglu
from plm_components.kernels.norms import RMSNorm
from plm_components.kernels.rotary import apply_rotary
from plm_components.kernels.swiglu import swiglu as plain_swiglu


def operations(small: bool, device: torch.device) -> Iterator[Operation]:
    """Llama 3.2 1B on a prompt, forward and backward, and on one token."""
    lengths, dim, ffn_dim, (num_heads, num_kv_heads, head_dim) = (9, 1), 48, 64, (4, 2, 12)
    if not small:
        lengths, dim, ffn_dim = (1024, 1), 2048, 8192
        num_heads, num_kv_heads, head_dim = 32, 8, 64
    dtypes = (torch.float32, torch.bfloat16)
    for dtype, length, backward in product(dtypes, lengths, (False, True)):
        if backward and length == 1:
            continue
        how: dict[str, Any] = {"dtype": dtype, "device": device, "backward": backward}
        yield rms_norm("rms_norm", rows=length, dim=dim, **how)
        heads = {"num_heads": num_heads, "num_kv_heads": num_kv_heads, "head_dim": head_dim}
        yield rotary("rotary", batch=1, length=length, **heads, **how)
        yield swiglu("swiglu", rows=length, dim=ffn_dim, **how)


def test_norms(kernel_bench: Any, operation: Operation) -> None:
    kernel_bench(operation, CONTENDERS[operation.name])


def _contender(part: str, prepare: Callable[[Operation], Function]) -> Contender:
    return Contender(part, "plm-components", "benchmark", prepare)


def _plain_norm(operation: Operation) -> Function:
    norm = RMSNorm(int(operation.sizes["dim"]), float(operation.sizes["eps"]))
    return lambda x, weight: functional_call(norm, {"weight": weight}, (x,))


def _torch_norm(operation: Operation) -> Function:
    eps = float(operation.sizes["eps"])
    return lambda x, weight: F.rms_norm(x, weight.shape, weight, eps)


def _triton_norm(operation: Operation) -> Function:
    # Triton is optional, so its kernels are imported by whoever uses them
    from plm_components.kernels.norms import triton

    eps = float(operation.sizes["eps"])
    return lambda x, weight: triton.rms_norm(x, weight, eps)


def _plain_rotary(operation: Operation) -> Function:
    return lambda q, k, cos, sin: (apply_rotary(q, (cos, sin)), apply_rotary(k, (cos, sin)))


def _triton_rotary(operation: Operation) -> Function:
    from plm_components.kernels.rotary import triton

    return lambda q, k, cos, sin: triton.rotate(q, k, (cos, sin))


def _plain_gate(operation: Operation) -> Function:
    return plain_swiglu


def _triton_gate(operation: Operation) -> Function:
    from plm_components.kernels.swiglu import triton

    return triton.swiglu


CONTENDERS = {
    "rms_norm": [
        _contender("rms_norm/plain", _plain_norm),
        _contender("torch.nn.functional.rms_norm", _torch_norm),
        _contender("rms_norm/triton", _triton_norm),
    ],
    "rotary": [
        _contender("rotary/plain", _plain_rotary),
        _contender("rotary/triton", _triton_rotary),
    ],
    "swiglu": [
        _contender("swiglu/plain", _plain_gate),
        _contender("swiglu/triton", _triton_gate),
    ],
}
