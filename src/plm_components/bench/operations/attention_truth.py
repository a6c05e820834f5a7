"""Attention's oracles in pieces: float64 scores of a long prompt do not fit a device at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from plm_components.contracts import Causal, CausalCached, Full, Mask
from plm_components.kernels.attention.eager import EagerAttention
from plm_components.testing.oracles import attention_oracle, score_rounding

_Oracle = Callable[[Tensor, Tensor, Tensor, Mask], Tensor]
# scores at once: half a GiB of float64, and softmax holds a few times that
_SCORES = 2**26


class _Piece(NamedTuple):
    """Some queries of some rows and one key/value head, and all that they may see."""

    q: Tensor
    k: Tensor
    v: Tensor
    mask: Mask


def exact_attention(q_BHLh: Tensor, k_BGSh: Tensor, v_BGSh: Tensor, mask: Mask) -> Tensor:
    """``attention_oracle``, piece by piece: ``(B, H, L, h)`` in float64."""
    return _assembled(attention_oracle, q_BHLh, k_BGSh, v_BGSh, mask)


def plain_attention_in_pieces(q_BHLh: Tensor, k_BGSh: Tensor, v_BGSh: Tensor, mask: Mask) -> Tensor:
    """``attention/eager``, piece by piece: ``(B, H, L, h)`` in the dtype of q."""
    return _assembled(_eager, q_BHLh, k_BGSh, v_BGSh, mask)


def rounding_in_pieces(q_BHLh: Tensor, k_BGSh: Tensor, v_BGSh: Tensor) -> float:
    """``score_rounding``, piece by piece."""
    with torch.no_grad():
        rows = _rows(q_BHLh, k_BGSh, v_BGSh, Full())
        return max(score_rounding(piece.q, piece.k) for row in rows for piece in row)


def _eager(q_BHLh: Tensor, k_BGSh: Tensor, v_BGSh: Tensor, mask: Mask) -> Tensor:
    """The part itself, not its formula: fp32 sums in another order are another error."""
    kernel = EagerAttention(q_BHLh.shape[1], k_BGSh.shape[1], q_BHLh.shape[-1])
    return kernel(q_BHLh, k_BGSh, v_BGSh, mask)


def _assembled(oracle: _Oracle, q: Tensor, k: Tensor, v: Tensor, mask: Mask) -> Tensor:
    if _num_scores(q, k) <= _SCORES:
        return oracle(q, k, v, mask)
    kv_heads = k.shape[1]
    rows = []
    for pieces in _rows(q, k, v, mask):
        parts = [_forgetful(oracle, piece) for piece in pieces]
        per_head = len(parts) // kv_heads
        heads = [
            torch.cat(parts[head * per_head : (head + 1) * per_head], 2) for head in range(kv_heads)
        ]
        rows.append(torch.cat(heads, 1))
    return torch.cat(rows)


def _forgetful(oracle: _Oracle, piece: _Piece) -> Tensor:
    """A piece whose scores are made again for its gradient rather than kept."""
    wanted = any(tensor.requires_grad for tensor in (piece.q, piece.k, piece.v))
    if torch.is_grad_enabled() and wanted:
        out: Tensor = checkpoint(oracle, *piece, use_reentrant=False)
        return out
    return oracle(*piece)


def _rows(q: Tensor, k: Tensor, v: Tensor, mask: Mask) -> Iterator[list[_Piece]]:
    """Some rows of the batch after others: head by head, and blocks of queries within."""
    kv_heads = k.shape[1]
    at_once = max(1, _SCORES * kv_heads // _num_scores(q[:1], k))
    for start in range(0, len(q), at_once):
        some = slice(start, start + at_once)
        q_heads, k_heads, v_heads = (tensor[some].chunk(kv_heads, 1) for tensor in (q, k, v))
        heads = zip(q_heads, k_heads, v_heads, strict=True)
        yield [piece for head in heads for piece in _blocks(*head, _of_rows(mask, some))]


def _blocks(q_BRLh: Tensor, k_B1Sh: Tensor, v_B1Sh: Tensor, mask: Mask) -> Iterator[_Piece]:
    size = max(1, _SCORES // (q_BRLh.shape[:2].numel() * k_B1Sh.shape[2]))
    if size >= q_BRLh.shape[2] or not isinstance(mask, Full | Causal | CausalCached):
        yield _Piece(q_BRLh, k_B1Sh, v_B1Sh, mask)
        return
    for start in range(0, q_BRLh.shape[2], size):
        yield _block(q_BRLh[:, :, start : start + size], k_B1Sh, v_B1Sh, mask, start)


def _block(q: Tensor, k: Tensor, v: Tensor, mask: Mask, start: int) -> _Piece:
    """Queries from ``start`` on: behind a cache of as many keys, where the mask is causal."""
    if isinstance(mask, Causal):
        end = start + q.shape[2]
        before = torch.full((len(q),), start, device=q.device)
        return _Piece(q, k[:, :, :end], v[:, :, :end], CausalCached(before))
    if isinstance(mask, CausalCached):
        return _Piece(q, k, v, CausalCached(mask.lengths_B + start))
    return _Piece(q, k, v, mask)


def _of_rows(mask: Mask, some: slice) -> Mask:
    return CausalCached(mask.lengths_B[some]) if isinstance(mask, CausalCached) else mask


def _num_scores(q_BHLh: Tensor, k_BGSh: Tensor) -> int:
    return q_BHLh.shape[:3].numel() * k_BGSh.shape[2]
