"""Llama's layer in fewer and larger steps, with the plain block's weights."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from torch import Generator, Tensor, nn
from torch.nn.init import trunc_normal_

from plm_components.contracts import Attention, DefaultPart, LayerCache, Mask
from plm_components.decoder_blocks.elementwise import (
    Elementwise,
    Kernels,
    elementwise,
    require_triton,
)
from plm_components.decoder_blocks.side_by_side import (
    bring_together,
    is_untouched,
    joint_product,
    joint_weight,
)
from plm_components.errors import ContractError
from plm_components.kernels.norms import RMSNorm

_ADDRESS = "decoder_block/fused_prenorm_gqa_swiglu"


class FusedPrenormGQASwiGLUBlock(nn.Module):
    """``decoder_block/prenorm_gqa_swiglu`` with fused steps; state dicts are interchangeable.

    Queries, keys and values are one product, and so are gate and up. On CUDA each of the rest is
    one Triton kernel: the norm; the residual's addition and the second norm; rotary, on the way
    from the product's buffer to the heads that attention wants; SwiGLU's product. Each computes in
    fp32 and rounds once.

    The joined weights lie side by side in memory, under the plain block's names: they are moved
    there when the block is built, loaded or moved, so weights mapped from a file on the CPU are
    copied. Where they cannot be (FSDP), where a layer was replaced or has a hook (LoRA), and under
    ``torch.compile``, the products run one by one. ``fused`` tells, and so does the ``repr``.

    Args:
        dim: Channels of the decoder.
        layer_index: Which layer of the decoder this is, from 0.
        num_heads: Query heads.
        num_kv_heads: Key/value heads, a divisor of ``num_heads``.
        ffn_dim: Channels between the two halves of SwiGLU.
        attention: Kernel that does the softmax.
        head_dim: Channels of one head; ``dim / num_heads`` when None.
        norm_eps: Added to the mean square in both norms.
        kernels: What stands between the products. ``triton``: Triton kernels, on CUDA only.
            ``torch``: torch's operators, anywhere. ``auto``: Triton on CUDA where it is installed,
            torch elsewhere, and under ``torch.compile``, which fuses torch's by itself.

    Shapes:
        x_BLD ``(B, L, dim)`` -> ``(B, L, dim)``.

    Raises:
        ContractError: head_dim is odd (rotary turns pairs), or the heads do not divide ``dim``.
        UnavailableError: ``kernels=triton`` without triton.
        UnsupportedError: ``kernels=triton`` for tensors on another device than CUDA.

    Source:
        Llama 3, arXiv 2407.21783; fused products, Megatron-LM, arXiv 1909.08053; fused operators,
        Liger Kernel, arXiv 2410.10989, and FlashAttention, arXiv 2205.14135.
    """

    __plm_kind__: ClassVar[str] = "decoder_block"

    def __init__(
        self,
        dim: int,
        layer_index: int,
        *,
        num_heads: int,
        num_kv_heads: int,
        ffn_dim: int,
        attention: Annotated[Attention, DefaultPart("sdpa")],
        head_dim: int | None = None,
        norm_eps: float = 1e-5,
        kernels: Kernels = "auto",
    ) -> None:
        super().__init__()
        self.dim, self.layer_index, self.ffn_dim = dim, layer_index, ffn_dim
        self.num_heads, self.num_kv_heads, self.kernels = num_heads, num_kv_heads, kernels
        self.head_dim = head_dim or dim // num_heads
        if self.head_dim % 2 or (head_dim is None and dim % num_heads):
            raise _bad_heads(dim, num_heads, head_dim)
        if kernels == "triton":
            require_triton(_ADDRESS)
        self.attention = attention
        self.attention_norm = RMSNorm(dim, norm_eps)
        self.q_proj = nn.Linear(dim, num_heads * self.head_dim, bias=False)
        self.k_proj = nn.Linear(dim, num_kv_heads * self.head_dim, bias=False)
        self.v_proj = nn.Linear(dim, num_kv_heads * self.head_dim, bias=False)
        self.o_proj = nn.Linear(num_heads * self.head_dim, dim, bias=False)
        self.ffn_norm = RMSNorm(dim, norm_eps)
        self.gate_proj = nn.Linear(dim, ffn_dim, bias=False)
        self.up_proj = nn.Linear(dim, ffn_dim, bias=False)
        self.down_proj = nn.Linear(ffn_dim, dim, bias=False)
        self.register_load_state_dict_post_hook(_loaded)  # type: ignore[no-untyped-call]
        self._join()

    def forward(
        self,
        x_BLD: Tensor,
        rotary: tuple[Tensor, Tensor],
        mask: Mask,
        cache: LayerCache | None = None,
    ) -> Tensor:
        """``(B, L, D)`` -> ``(B, L, D)``; rotary is fp32 ``cos_BLh, sin_BLh``, half-split."""
        run = elementwise(self.kernels, x_BLD.device)
        attended_BLD = self._attend(run, self._first_norm(run, x_BLD), rotary, mask, cache)
        x_BLD, y_BLD = self._add_second_norm(run, x_BLD, attended_BLD)
        mlp_BLD: Tensor = self.down_proj(run.swiglu(joint_product(y_BLD, self._gate_up)))
        return x_BLD + mlp_BLD

    def _attend(
        self,
        run: Elementwise,
        y_BLD: Tensor,
        rotary: tuple[Tensor, Tensor],
        mask: Mask,
        cache: LayerCache | None,
    ) -> Tensor:
        qkv_BLF = joint_product(y_BLD, self._qkv)
        q_BHLh, k_BGSh, v_BGSh = run.rotate_qkv(qkv_BLF, rotary, self.num_heads, self.num_kv_heads)
        if cache is not None:
            k_BGSh, v_BGSh, _ = cache.append(k_BGSh, v_BGSh)
        out_BHLh = self.attention(q_BHLh, k_BGSh, v_BGSh, mask)
        out_BLD: Tensor = self.o_proj(out_BHLh.transpose(1, 2).flatten(2))
        return out_BLD

    def _first_norm(self, run: Elementwise, x_BLD: Tensor) -> Tensor:
        norm = self.attention_norm
        if is_untouched(norm, RMSNorm):
            return run.rms_norm(x_BLD, norm.weight, norm.eps)
        y_BLD: Tensor = norm(x_BLD)
        return y_BLD

    def _add_second_norm(
        self, run: Elementwise, x_BLD: Tensor, delta_BLD: Tensor
    ) -> tuple[Tensor, Tensor]:
        norm = self.ffn_norm
        if is_untouched(norm, RMSNorm):
            return run.add_rms_norm(x_BLD, delta_BLD, norm.weight, norm.eps)
        x_BLD = x_BLD + delta_BLD
        return x_BLD, norm(x_BLD)

    @property
    def fused(self) -> dict[str, str]:
        """What runs as one, for inputs on the device of the weights, outside of a compiler."""
        run = elementwise(self.kernels, self.q_proj.weight.device)
        return {
            "q, k, v": _products(self._qkv),
            "gate, up": _products(self._gate_up),
            "norms, rotary, swiglu": f"{run.name} kernels",
        }

    def extra_repr(self) -> str:
        """What was chosen, and what it comes to where the weights are."""
        return ", ".join(
            [f"kernels={self.kernels!r}", *(f"({what}): {how}" for what, how in self.fused.items())]
        )

    @property
    def _qkv(self) -> tuple[nn.Linear, ...]:
        return self.q_proj, self.k_proj, self.v_proj

    @property
    def _gate_up(self) -> tuple[nn.Linear, ...]:
        return self.gate_proj, self.up_proj

    def _join(self) -> None:
        bring_together(self._qkv)
        bring_together(self._gate_up)

    def init_buffers(self) -> None:
        """No buffers: the decoder owns the rotary tables. Weights set one by one are joined."""
        self._join()

    def init_weights(self, generator: Generator | None = None) -> None:
        """As the plain block: the same generator gives the same weights."""
        self.attention_norm.init_weights()
        self.ffn_norm.init_weights()
        into = (*self._qkv, self.o_proj, *self._gate_up)
        for linear, fan_in in (
            *((part, self.dim) for part in into),
            (self.down_proj, self.ffn_dim),
        ):
            std = fan_in**-0.5
            trunc_normal_(linear.weight, std=std, a=-3 * std, b=3 * std, generator=generator)

    def _apply(self, fn, recurse=True):  # type: ignore[no-untyped-def]
        # to(), cuda(), to_empty() give every parameter memory of its own
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self._join()
        return self

    def __setstate__(self, state: dict[str, Any]) -> None:
        # copies of a module, say by deepcopy: again each parameter by itself
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._join()


def _loaded(block: FusedPrenormGQASwiGLUBlock, _: object) -> None:
    # load_state_dict(assign=True) puts the checkpoint's tensors in
    block._join()


def _products(layers: tuple[nn.Linear, ...]) -> str:
    return "one product" if joint_weight(layers) is not None else f"{len(layers)} products"


def _bad_heads(dim: int, num_heads: int, head_dim: int | None) -> ContractError:
    size = f"head_dim={head_dim}" if head_dim else f"dim={dim} over {num_heads} heads"
    return ContractError(
        f"{size} gives no even number of channels a head.",
        where=_ADDRESS,
        expected="heads of an even number of channels, since rotary turns them in pairs",
        fix="set num_heads to a divisor of dim, or head_dim to an even number",
    )
