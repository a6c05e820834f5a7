"""Which tokens become one: bipartite soft matching, in rounds. Decides, and averages nothing.

The matching looks at tokens rounded to bfloat16, in float64. So precision does not decide what
merges: a model in bf16 matches as its fp32 twin does wherever their tokens round alike. And scores
are compared after rounding to fp32, far above float64's own noise, so equal tokens tie exactly and
neither the batch nor the order of a sum decides.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize


def round_sizes(num_tokens: int, target: int, share: float) -> list[int]:
    """How many tokens each round merges away, until ``target`` are left.

    Args:
        num_tokens: Tokens before.
        target: Tokens after, at least one.
        share: The most a round may merge, as a share of the tokens it finds; at most a half.
    """
    sizes = []
    while num_tokens > target:
        sizes.append(min(num_tokens - target, max(1, int(num_tokens * share))))
        num_tokens -= sizes[-1]
    return sizes


@torch.no_grad()
def match(tokens_BNC: Tensor, target: int, share: float) -> Tensor:
    """The merged token that each token goes into.

    Args:
        tokens_BNC: ``(B, N, C)``, any float dtype.
        target: Merged tokens, ``M``.
        share: The most a round may merge, as a share of the tokens it finds.

    Returns:
        ``(B, N)`` int64, values ``0..M-1``, each of them taken. Merged tokens keep the order of
        the tokens they were merged into, so the decoder still reads row by row.
    """
    # mps has no float64
    wide = torch.float32 if tokens_BNC.device.type == "mps" else torch.float64
    sums_BnC = tokens_BNC.to(torch.bfloat16).to(wide)
    place_BN = torch.arange(tokens_BNC.shape[1], device=tokens_BNC.device)
    place_BN = place_BN.repeat(len(tokens_BNC), 1)
    for count in round_sizes(tokens_BNC.shape[1], target, share):
        # sums point where means do, and the cosine asks no more
        leaves_Br, joins_Br = _best_edges(sums_BnC, count)
        kept_Bk, rank_Bn = _who_stays(leaves_Br, joins_Br, sums_BnC.shape[1])
        sums_BnC = _joined(sums_BnC, leaves_Br, joins_Br, kept_Bk)
        place_BN = rank_Bn.gather(1, place_BN)
    return place_BN


def _best_edges(sums_BnC: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Every second token draws an edge to its nearest among the others; the best edges win.

    Returns:
        ``leaves_Br, joins_Br``: the tokens that leave (even), and those that they join (odd).
    """
    unit_BnC = normalize(sums_BnC, dim=-1)
    scores_Bab = (unit_BnC[:, ::2] @ unit_BnC[:, 1::2].transpose(1, 2)).float()
    # of equal scores max names the first, and the sort is stable: ties are settled by position
    best_Ba, nearest_Ba = scores_Bab.max(-1)
    chosen_Br = best_Ba.argsort(dim=-1, descending=True, stable=True)[:, :count]
    return 2 * chosen_Br, 2 * nearest_Ba.gather(1, chosen_Br) + 1


def _who_stays(leaves_Br: Tensor, joins_Br: Tensor, before: int) -> tuple[Tensor, Tensor]:
    """The tokens that stay, ascending, and the number among them that each token now has."""
    gone_Bn = torch.zeros(len(leaves_Br), before, dtype=torch.int64, device=leaves_Br.device)
    gone_Bn.scatter_(1, leaves_Br, 1)
    kept_Bk = gone_Bn.argsort(dim=-1, stable=True)[:, : before - leaves_Br.shape[1]]
    rank_Bn = (1 - gone_Bn).cumsum(-1) - 1
    return kept_Bk, rank_Bn.scatter(1, leaves_Br, rank_Bn.gather(1, joins_Br))


def _joined(x_BnC: Tensor, leaves_Br: Tensor, joins_Br: Tensor, kept_Bk: Tensor) -> Tensor:
    """Rows added to those they join; what left is dropped."""
    odd_b1 = torch.arange(1, x_BnC.shape[1], 2, device=x_BnC.device)[:, None]
    # a product with zeros and ones: unlike a scattered sum it is deterministic on every device
    into_Bbr = (joins_Br[:, None, :] == odd_b1).to(x_BnC.dtype)
    x_BnC = x_BnC.clone()
    x_BnC[:, 1::2] += into_Bbr @ _rows(x_BnC, leaves_Br)
    return _rows(x_BnC, kept_Bk)


def _rows(x_BnC: Tensor, index_Bk: Tensor) -> Tensor:
    return x_BnC.gather(1, index_Bk[..., None].expand(-1, -1, x_BnC.shape[2]))
