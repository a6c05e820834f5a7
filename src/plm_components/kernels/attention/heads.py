"""What every attention part checks: its heads when built, its shapes when called."""

from __future__ import annotations

from torch import Tensor

from plm_components.contracts import Causal, Mask
from plm_components.errors import ContractError, ShapeError


def check_heads(address: str, num_heads: int, num_kv_heads: int, head_dim: int) -> None:
    """ContractError unless query heads share key/value heads evenly."""
    if min(num_heads, num_kv_heads, head_dim) < 1 or num_heads % num_kv_heads:
        raise ContractError(
            f"{num_heads} query heads of {head_dim} channels cannot share "
            f"{num_kv_heads} key/value heads.",
            where=address,
            expected="positive sizes, num_heads a multiple of num_kv_heads",
            fix="set num_kv_heads of the enclosing block to a divisor of its num_heads",
        )


def check_call(
    address: str, num_heads: int, num_kv_heads: int, q_BHLh: Tensor, k_BGSh: Tensor, mask: Mask
) -> None:
    """ShapeError unless the heads are those it was built for, and Causal is square."""
    if (q_BHLh.shape[1], k_BGSh.shape[1]) != (num_heads, num_kv_heads):
        raise ShapeError(
            f"Attention over {q_BHLh.shape[1]} query and {k_BGSh.shape[1]} key/value heads.",
            where=address,
            expected=f"{num_heads} query and {num_kv_heads} key/value heads, as it was built",
            fix="pass q as (B, H, L, h) and k, v as (B, G, S, h)",
        )
    if isinstance(mask, Causal) and q_BHLh.shape[2] != k_BGSh.shape[2]:
        raise ShapeError(
            f"A Causal mask over {q_BHLh.shape[2]} queries and {k_BGSh.shape[2]} keys.",
            where=address,
            expected="as many keys as queries",
            fix="behind a cache pass CausalCached(lengths_B) instead of Causal()",
        )
