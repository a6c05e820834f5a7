"""Flamingo's layer: cross-attention and an MLP, each added through a gate."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plm_components.contracts import Attention, Full


class GatedLayer(nn.Module):
    """``x + tanh(a) * attend(x, context)``, then ``x + tanh(f) * mlp(x)``; pre-norm.

    Args:
        context_dim: Channels of what is looked at.
        dim: Channels of what looks.
        ffn_dim: Channels of the MLP's hidden layer.
        attention: Kernel that does the softmax.

    Shapes:
        x_BMD ``(B, M, dim)``, context_BNC ``(B, N, context_dim)`` -> ``(B, M, dim)``.
    """

    def __init__(self, context_dim: int, dim: int, ffn_dim: int, attention: Attention) -> None:
        super().__init__()
        self.attention, self.head_dim = attention, attention.head_dim
        self.norm_query = nn.LayerNorm(dim)
        self.norm_context = nn.LayerNorm(context_dim)
        self.q_proj = nn.Linear(dim, dim, bias=False)
        self.k_proj = nn.Linear(context_dim, dim, bias=False)
        self.v_proj = nn.Linear(context_dim, dim, bias=False)
        self.o_proj = nn.Linear(dim, dim, bias=False)
        self.attention_gate = nn.Parameter(torch.zeros(1))
        self.norm_ffn = nn.LayerNorm(dim)
        self.fc1 = nn.Linear(dim, ffn_dim, bias=False)
        self.fc2 = nn.Linear(ffn_dim, dim, bias=False)
        self.ffn_gate = nn.Parameter(torch.zeros(1))

    def forward(self, x_BMD: Tensor, context_BNC: Tensor) -> Tensor:
        """``(B, M, dim)`` -> ``(B, M, dim)``."""
        context_BNC = self.norm_context(context_BNC)
        mixed_BHMh = self.attention(
            self._heads(self.q_proj(self.norm_query(x_BMD))),
            self._heads(self.k_proj(context_BNC)),
            self._heads(self.v_proj(context_BNC)),
            Full(),
        )
        seen_BMD = self.o_proj(mixed_BHMh.transpose(1, 2).flatten(2))
        x_BMD = x_BMD + self.attention_gate.tanh() * seen_BMD
        hidden_BMF = F.gelu(self.fc1(self.norm_ffn(x_BMD)))
        mlp_BMD: Tensor = self.fc2(hidden_BMF)
        return x_BMD + self.ffn_gate.tanh() * mlp_BMD

    def close_gates(self) -> None:
        """Makes the layer the identity."""
        nn.init.zeros_(self.attention_gate)
        nn.init.zeros_(self.ffn_gate)

    def _heads(self, x_BLD: Tensor) -> Tensor:
        return torch.unflatten(x_BLD, -1, (-1, self.head_dim)).transpose(1, 2)
