"""One layer of a Perception Encoder, under timm's parameter names."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import gelu

from plm_components.contracts import Attention, Full
from plm_components.kernels.rotary import apply_interleaved_rotary


class PEBlock(nn.Module):
    """``x + drop(g1 * attend(norm(x)))``, then ``x + drop(g2 * mlp(norm(x)))``; biases everywhere.

    Args:
        dim: Channels.
        num_heads: Attention heads, a divisor of ``dim``.
        ffn_dim: Channels between the two layers of the MLP.
        attention: Kernel that does the softmax.
        layer_scale: Start of the learned gates g1 and g2; None leaves them out.
        drop_path: Chance that a sample skips a branch, in training.
        norm_eps: Added to the variance in both norms.
    """

    gamma_1: nn.Parameter | None
    gamma_2: nn.Parameter | None

    def __init__(
        self,
        dim: int,
        num_heads: int,
        ffn_dim: int,
        attention: Attention,
        *,
        layer_scale: float | None,
        drop_path: float,
        norm_eps: float,
    ) -> None:
        super().__init__()
        self.layer_scale, self.drop_path = layer_scale, drop_path
        self.norm1 = nn.LayerNorm(dim, norm_eps)
        self.attn = _SelfAttention(dim, num_heads, attention)
        self.norm2 = nn.LayerNorm(dim, norm_eps)
        self.mlp = _MLP(dim, ffn_dim)
        for name in ("gamma_1", "gamma_2"):
            gate = None if layer_scale is None else nn.Parameter(torch.empty(dim))
            self.register_parameter(name, gate)

    def forward(self, x_BLC: Tensor, rotary: tuple[Tensor, Tensor]) -> Tensor:
        """``(B, L, C)`` -> ``(B, L, C)``; rotary is fp32 ``cos_Lh, sin_Lh``, interleaved."""
        x_BLC = x_BLC + self._branch(self.attn(self.norm1(x_BLC), rotary), self.gamma_1)
        return x_BLC + self._branch(self.mlp(self.norm2(x_BLC)), self.gamma_2)

    def _branch(self, y_BLC: Tensor, gate_C: Tensor | None) -> Tensor:
        if gate_C is not None:
            y_BLC = gate_C * y_BLC
        if not self.training or self.drop_path == 0.0:
            return y_BLC
        keep = 1.0 - self.drop_path
        return y_BLC * y_BLC.new_empty(len(y_BLC), 1, 1).bernoulli_(keep).div_(keep)

    def init_weights(self, generator: Generator | None = None) -> None:
        """Draws the layer anew: Xavier for queries, keys and values, torch's defaults elsewhere."""
        for norm in (self.norm1, self.norm2):
            norm.reset_parameters()
        nn.init.xavier_uniform_(self.attn.qkv.weight, generator=generator)
        nn.init.zeros_(self.attn.qkv.bias)
        draw_uniform(self.attn.proj, generator)
        nn.init.zeros_(self.attn.proj.bias)
        for linear in (self.mlp.fc1, self.mlp.fc2):
            draw_uniform(linear, generator)
        for gate_C in (self.gamma_1, self.gamma_2):
            if gate_C is not None and self.layer_scale is not None:
                nn.init.constant_(gate_C, self.layer_scale)


class _SelfAttention(nn.Module):
    def __init__(self, dim: int, num_heads: int, attention: Attention) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.attention = attention
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x_BLC: Tensor, rotary: tuple[Tensor, Tensor]) -> Tensor:
        qkv_BL3Hh = self.qkv(x_BLC).unflatten(-1, (3, self.num_heads, -1))
        q_BHLh, k_BHLh, v_BHLh = qkv_BL3Hh.permute(2, 0, 3, 1, 4).unbind(0)
        q_BHLh = apply_interleaved_rotary(q_BHLh, rotary)
        k_BHLh = apply_interleaved_rotary(k_BHLh, rotary)
        out_BHLh = self.attention(q_BHLh, k_BHLh, v_BHLh, Full())
        out_BLC: Tensor = self.proj(out_BHLh.transpose(1, 2).flatten(2))
        return out_BLC


class _MLP(nn.Module):
    def __init__(self, dim: int, ffn_dim: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, ffn_dim)
        self.fc2 = nn.Linear(ffn_dim, dim)

    def forward(self, x_BLC: Tensor) -> Tensor:
        out_BLC: Tensor = self.fc2(gelu(self.fc1(x_BLC)))
        return out_BLC


def draw_uniform(layer: nn.Linear | nn.Conv2d, generator: Generator | None) -> None:
    """The draw of torch itself for linear and convolution layers, from a generator."""
    bound = layer.weight[0].numel() ** -0.5
    nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
    if layer.bias is not None:
        nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
