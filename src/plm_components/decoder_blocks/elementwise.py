"""What stands between the products of a block, as torch's operators or as Triton kernels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Literal

import torch
from torch import Tensor

from plm_components.errors import UnavailableError
from plm_components.kernels import norms, rotary, swiglu

Kernels = Literal["auto", "triton", "torch"]
_Tables = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Elementwise:
    """One way to do it.

    Args:
        name: Whose kernels they are.
        rms_norm: ``(x, weight, eps)`` -> the norm.
        add_rms_norm: ``(x, delta, weight, eps)`` -> the sum, and its norm.
        rotate_qkv: ``(qkv, tables, num_heads, num_kv_heads)`` -> queries, keys, values.
        swiglu: ``(gate_up)`` -> the product.
    """

    name: Literal["triton", "torch"]
    rms_norm: Callable[[Tensor, Tensor, float], Tensor]
    add_rms_norm: Callable[[Tensor, Tensor, Tensor, float], tuple[Tensor, Tensor]]
    rotate_qkv: Callable[[Tensor, _Tables, int, int], tuple[Tensor, Tensor, Tensor]]
    swiglu: Callable[[Tensor], Tensor]


TORCH = Elementwise("torch", norms.rms_norm, norms.add_rms_norm, rotary.rotate_qkv, swiglu.swiglu)


_LOADED: dict[str, Elementwise] = {}


def elementwise(kernels: Kernels, device: torch.device) -> Elementwise:
    """The operators for tensors of a device.

    Args:
        kernels: ``auto`` is Triton's on CUDA where triton is installed, and torch's elsewhere; and
            under ``torch.compile``, which fuses torch's by itself and cannot look into ours.
        device: Of the tensors. On meta only shapes are asked, which torch's operators know.
    """
    if device.type == "meta" or kernels == "torch":
        return TORCH
    if kernels == "triton":
        return _triton()
    eager_on_cuda = device.type == "cuda" and not torch.compiler.is_compiling()
    return _triton() if eager_on_cuda and has_triton() else TORCH


def require_triton(address: str) -> None:
    """Refuses ``kernels=triton`` where there is none.

    Args:
        address: Of the block, for the message.

    Raises:
        UnavailableError: triton is not installed.
    """
    if not has_triton():
        raise UnavailableError(
            "kernels=triton needs triton, which is not installed.",
            where=f"{address}, kernels",
            expected="triton, which comes with torch for CUDA",
            fix="pip install triton, or set kernels=auto",
        )


@cache
def has_triton() -> bool:
    """Whether triton is installed; it is not imported."""
    return find_spec("triton") is not None


def _triton() -> Elementwise:
    # a dict, not functools.cache, which torch.compile warns of
    if not _LOADED:
        from plm_components.kernels.norms import triton as norm_kernels
        from plm_components.kernels.rotary import triton as rotary_kernels
        from plm_components.kernels.swiglu import triton as swiglu_kernels

        _LOADED["triton"] = Elementwise(
            "triton",
            norm_kernels.rms_norm,
            norm_kernels.add_rms_norm,
            rotary_kernels.rotate_qkv,
            swiglu_kernels.swiglu,
        )
    return _LOADED["triton"]
