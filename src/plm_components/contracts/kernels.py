"""What attention and pooling kernels promise: the function and its limits as one object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol, runtime_checkable

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

    def refuse(asked: str, can: str, fix: str) -> None:
        raise UnsupportedError(
            f"{address} cannot do {asked}.", where=address, expected=can, fix=fix
        )

    other = "choose another attention part for this slot: attention=eager does everything"
    if type(mask) not in support.masks:
        names = ", ".join(sorted(mask_type.__name__ for mask_type in support.masks))
        refuse(f"a {type(mask).__name__} mask", f"one of: {names}", other)
    if q_BHLh.device.type not in support.devices:
        refuse(f"device {q_BHLh.device.type}", ", ".join(sorted(support.devices)), other)
    if q_BHLh.dtype not in support.dtypes:
        refuse(str(q_BHLh.dtype), ", ".join(sorted(map(str, support.dtypes))), other)
    if q_BHLh.shape[1] != k_BGSh.shape[1] and not support.gqa:
        refuse("grouped queries", "as many key/value heads as query heads", other)
    if support.head_dims is not None and q_BHLh.shape[-1] not in support.head_dims:
        refuse(f"head_dim {q_BHLh.shape[-1]}", f"one of {sorted(support.head_dims)}", other)
    needs_grad = torch.is_grad_enabled() and (q_BHLh.requires_grad or k_BGSh.requires_grad)
    if needs_grad and q_BHLh.device.type not in support.backward:
        on = ", ".join(sorted(support.backward)) or "no device"
        refuse(f"gradients on {q_BHLh.device.type}", f"backward on: {on}", other)


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
