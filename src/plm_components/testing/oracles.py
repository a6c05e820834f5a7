"""Plain formulas that kernels are measured against: float64, and the same in fp32."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from plm_components.contracts import Grid, Mask


def attention_oracle(
    q_BHLh: Tensor, k_BGSh: Tensor, v_BGSh: Tensor, mask: Mask, dtype: torch.dtype = torch.float64
) -> Tensor:
    """``softmax(Q K^T / sqrt(head_dim)) V`` with everything computed in ``dtype``.

    Shapes:
        ``(B,H,L,h), (B,G,S,h), (B,G,S,h)`` -> ``(B,H,L,h)`` in ``dtype``.
    """
    q, k, v = (tensor.to(dtype) for tensor in (q_BHLh, k_BGSh, v_BGSh))
    group = q.shape[1] // k.shape[1]
    k_BHSh, v_BHSh = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
    allowed = mask.allowed(q.shape[2], k.shape[2], device=q.device)[:, None]
    scores = (q @ k_BHSh.transpose(-1, -2)) * q.shape[-1] ** -0.5
    weights = scores.masked_fill(~allowed, -torch.inf).softmax(-1)
    # a query that sees no key gets nothing, not NaN
    out_BHLh: Tensor = weights.masked_fill(~allowed, 0.0) @ v_BHSh
    return out_BHLh


def plain_attention(q_BHLh: Tensor, k_BGSh: Tensor, v_BGSh: Tensor, mask: Mask) -> Tensor:
    """The plain kernel: fp32 scores and softmax, inputs and output in the dtype of q."""
    return attention_oracle(q_BHLh, k_BGSh, v_BGSh, mask, torch.float32).to(q_BHLh.dtype)


def pooling_oracle(
    tokens_BNC: Tensor,
    grid: Grid,
    window: int,
    activation: str = "none",
    dtype: torch.dtype = torch.float64,
) -> Tensor:
    """Adaptive average pooling, as the published projector does it, computed in ``dtype``.

    Shapes:
        ``(B, h*w, C)`` -> ``(B, (h/window)*(w/window), C)`` in ``dtype``.
    """
    x_BNC = tokens_BNC.to(dtype)
    x_BNC = F.gelu(x_BNC) if activation == "gelu" else x_BNC
    x_BChw = x_BNC.transpose(1, 2).reshape(len(x_BNC), -1, grid.h, grid.w)
    pooled_BChw = F.adaptive_avg_pool2d(x_BChw, (grid.h // window, grid.w // window))
    return pooled_BChw.flatten(2).transpose(1, 2)


def plain_pooling(tokens_BNC: Tensor, grid: Grid, window: int, activation: str = "none") -> Tensor:
    """The plain kernel: fp32 arithmetic, output in the dtype of the tokens."""
    wide = pooling_oracle(tokens_BNC, grid, window, activation, torch.float32)
    return wide.to(tokens_BNC.dtype)


class Errors(NamedTuple):
    """How far a result is from the float64 one."""

    largest: float
    rms: float
    correlation: float


def errors(result: Tensor, exact: Tensor) -> Errors:
    """Largest and root-mean-square difference, and correlation, in float64."""
    got, want = result.detach().double().flatten(), exact.detach().double().flatten()
    difference = got - want
    together = torch.stack([got, want])
    flat = bool(got.std() == 0) or bool(want.std() == 0) if got.numel() > 1 else True
    correlation = 1.0 if flat else float(torch.corrcoef(together)[0, 1])
    return Errors(
        float(difference.abs().max()), float(difference.square().mean().sqrt()), correlation
    )


def score_rounding(q_BHLh: Tensor, k_BGSh: Tensor) -> float:
    """What rounding the largest fp32 score does to its probability, relatively.

    A score is rounded to the size of its terms, ``|q| |k|``. Every kernel that keeps scores in fp32
    may pay that; the plain one escapes by luck, most of all where softmax is peaked. Measured over
    15 seeds of the conformance kit's calls in fp32, beyond twice the plain error and one unit:
    torch's kernel 0 of 405 times, and 7 where queries are 8 times as large (up to 3.0 times the
    plain error); two plain matrix products 9 of 315, and 19 (up to 7.2). In bf16 and fp16 never.
    For outputs only: gradients are held to twice the plain error, or declared fast.
    """
    group = q_BHLh.shape[1] // k_BGSh.shape[1]
    k_BHSh = k_BGSh.double().abs().repeat_interleave(group, 1)
    terms = q_BHLh.double().abs() @ k_BHSh.transpose(-1, -2) * q_BHLh.shape[-1] ** -0.5
    return 2 * float(terms.max()) * torch.finfo(torch.float32).eps


# the RMS of a handful of values is one of them, and whoever rounds it the other way has twice it
_STATISTIC = 64


def budget_fault(
    result: Tensor, exact: Tensor, plain: Tensor, *, factor: float = 2.0, rounding: float = 0.0
) -> str | None:
    """What is wrong with a result, as a multiple of the plain kernel's own error; None if nothing.

    One unit in the last place of the largest value is always allowed: the plain kernel may be
    exact by luck. RMS and correlation are asked of 64 values and more.

    Args:
        result: Of the kernel under test, in the tested dtype.
        exact: The float64 oracle on the same inputs.
        plain: Of the plain kernel, in the tested dtype.
        factor: How many times the plain kernel's error is allowed.
        rounding: Relative error that is allowed besides, say ``score_rounding(q, k)``.
    """
    if result.shape != exact.shape:
        return f"shape {tuple(result.shape)}, not {tuple(exact.shape)}"
    if not bool(torch.isfinite(result).all()):
        return "a value is not finite"
    got, own = errors(result, exact), errors(plain, exact)
    unit = (torch.finfo(result.dtype).eps + rounding) * float(exact.abs().max())
    # the RMS of the same unit, spread evenly over one rounding
    spread = unit * 12**-0.5
    if got.largest > factor * own.largest + unit:
        return _too_far("largest", got.largest, own.largest, factor)
    if result.numel() < _STATISTIC:
        return None
    if got.rms > factor * own.rms + spread:
        return _too_far("RMS", got.rms, own.rms, factor)
    # a relative error e costs about e**2 of correlation
    slack = (torch.finfo(result.dtype).eps + rounding) ** 2 + 1e-12
    if 1 - got.correlation > factor * (1 - own.correlation) + slack:
        return f"correlation {got.correlation:.6f} with float64, plain {own.correlation:.6f}"
    return None


# what a kernel that is declared fast must keep at least
FAST_CORRELATION = 0.999
# the RMS error of that correlation, sqrt(2 (1 - 0.999)) = 0.045, and a little
FAST_ERROR = 0.05


def fast_fault(result: Tensor, exact: Tensor) -> str | None:
    """What is wrong with a result of precision ``fast``; None if nothing.

    It must correlate with the truth, and be of its size: twice the truth correlates perfectly, and
    a constant does with anything. Where the truth is zero throughout (a gradient through a softmax
    over one key) only rounding is left, which no share of it can measure.

    Args:
        result: Of the kernel under test, in the tested dtype.
        exact: The float64 oracle on the same inputs.
    """
    if result.shape != exact.shape:
        return f"shape {tuple(result.shape)}, not {tuple(exact.shape)}"
    if not bool(torch.isfinite(result).all()):
        return "a value is not finite"
    found, size = errors(result, exact), float(exact.double().square().mean().sqrt())
    if found.correlation < FAST_CORRELATION:
        told = f"correlation {found.correlation:.6f} with float64"
        return f"{told}, a fast one needs {FAST_CORRELATION:g}"
    if size > 0 and found.rms > FAST_ERROR * size:
        told = f"RMS error {found.rms / size:.3g} of the truth's own size"
        return f"{told}, a fast one may have {FAST_ERROR:g}"
    return None


def _too_far(what: str, got: float, own: float, factor: float) -> str:
    allowed = f"the plain kernel's is {own:.3g}, {factor:g}x is allowed"
    return f"{what} error {got:.3g} against float64; {allowed}"
