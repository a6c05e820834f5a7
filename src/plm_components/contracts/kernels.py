"""What attention and pooling kernels promise: the function and its limits as one object."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor

from plm_components.contracts.masks import Mask
from plm_components.contracts.shapes import Grid
from plm_components.errors import UnsupportedError


@dataclass(frozen=True)
class AttentionSupport:
    """What an attention kernel can do; asking for more is refused, never dropped.

    Args:
        masks: Mask classes it honours.
        dtypes: Dtypes of its inputs and output.
        devices: Device types it runs on (``"meta"`` included where shapes can be had there).
        gqa: Whether key/value heads may be fewer than query heads.
        backward: Device types on which gradients flow.
        head_dims: Head sizes it takes, or None for any.
        precision: ``"exact"`` within twice the eager kernel's error, else ``"fast"``.
        gradient_precision: The same of its gradients. A fused backward is ``"fast"``: it makes the
            probabilities again from scores and their logarithmic sum, multiplies them in the
            dtype of its inputs, and takes row sums from an output that is rounded already.
        portable: Whether it is made of torch's own operators alone, so that it is right wherever
            torch is; a kernel of its own is right where a test has run it.
    """

    masks: frozenset[type]
    dtypes: frozenset[torch.dtype]
    devices: frozenset[str]
    gqa: bool
    backward: frozenset[str]
    head_dims: frozenset[int] | None = None
    precision: Literal["exact", "fast"] = "exact"
    gradient_precision: Literal["exact", "fast"] = "exact"
    portable: bool = False


@runtime_checkable
class Attention(Protocol):
    """``softmax(Q K^T / sqrt(head_dim)) V`` under a mask.

    Built with ``(num_heads, num_kv_heads, head_dim)``, which the enclosing block wires.
    Key/value head ``g`` serves query heads ``g*H/G .. (g+1)*H/G - 1``.
    """

    __plm_kind__: ClassVar[str] = "attention"

    support: ClassVar[AttentionSupport]
    num_heads: int
    num_kv_heads: int
    head_dim: int

    def __call__(self, q_BHLh: Tensor, k_BGSh: Tensor, v_BGSh: Tensor, mask: Mask) -> Tensor:
        """``(B,H,L,h), (B,G,S,h), (B,G,S,h)`` -> ``(B,H,L,h)`` in the dtype of q."""
        ...


def shortfalls(
    support: AttentionSupport,
    *,
    masks: Iterable[type],
    device: str,
    dtype: torch.dtype,
    grouped: bool,
    head_dim: int,
    backward: bool,
) -> Iterator[tuple[str, str]]:
    """What is asked of a kernel beyond what it declares, and what it can do instead.

    Args:
        support: The kernel's declaration.
        masks: Classes of the masks.
        device: Type of the device.
        dtype: Of the inputs.
        grouped: Whether several query heads share a key/value head.
        head_dim: Channels of a head.
        backward: Whether gradients are wanted.
    """
    for mask in masks:
        if mask not in support.masks:
            yield f"a {mask.__name__} mask", f"masks: {_names(support.masks)}"
    if dtype not in support.dtypes:
        yield str(dtype), f"dtypes: {_names(support.dtypes)}"
    if device not in support.devices:
        yield f"device {device}", f"devices: {_names(support.devices)}"
    if grouped and not support.gqa:
        yield "grouped queries", "as many key/value heads as query heads"
    if support.head_dims is not None and head_dim not in support.head_dims:
        yield f"head_dim {head_dim}", f"head_dim: {_names(support.head_dims)}"
    if backward and device not in support.backward:
        yield f"gradients on {device}", f"backward on: {_names(support.backward) or 'no device'}"


def refuse_unsupported(
    address: str, support: AttentionSupport, q_BHLh: Tensor, k_BGSh: Tensor, mask: Mask
) -> None:
    """Raises UnsupportedError where a call asks for more than ``support`` declares.

    Args:
        address: Of the kernel, for the message.
        support: The kernel's declaration.
        q_BHLh: Queries of the call.
        k_BGSh: Keys of the call.
        mask: Mask of the call.
    """
    lacking = shortfalls(
        support,
        masks=(type(mask),),
        device=q_BHLh.device.type,
        dtype=q_BHLh.dtype,
        grouped=q_BHLh.shape[1] != k_BGSh.shape[1],
        head_dim=q_BHLh.shape[-1],
        backward=torch.is_grad_enabled() and (q_BHLh.requires_grad or k_BGSh.requires_grad),
    )
    for asked, can in lacking:
        raise UnsupportedError(
            f"{address} cannot do {asked}.",
            where=address,
            expected=can,
            fix="choose another attention part for this slot: attention=eager does everything",
        )


def _names(things: frozenset[Any]) -> str:
    return ", ".join(sorted(t.__name__ if isinstance(t, type) else str(t) for t in things))


@runtime_checkable
class Pooling(Protocol):
    """Mean over ``window x window`` tokens, after an activation."""

    __plm_kind__: ClassVar[str] = "pooling"

    def __call__(
        self,
        tokens_BNC: Tensor,
        grid: Grid,
        window: int,
        activation: Literal["none", "gelu"] = "none",
    ) -> Tensor:
        """``(B, h*w, C)`` -> ``(B, (h/window)*(w/window), C)``; exact erf GELU first if asked."""
        ...
