"""Our masks as transformers' 4-D masks, sliding windows included.

Documents travel as a mask, never as positions that transformers would have to guess them from.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from torch import Tensor
from transformers import PretrainedConfig

from plm_components.contracts import Causal, CausalCached, Mask
from plm_components.decoders.hf_cache import HFCache
from plm_components.errors import ContractError

# one mask for all layers, or one by the kind of layer
Style: TypeAlias = Literal["single", "by_layer_type"]


def styles_of(config: PretrainedConfig) -> tuple[Style, ...]:
    """The ways a model of this configuration may want its masks, likeliest first.

    Raises:
        ContractError: layers of a kind that keeps no keys and values.
    """
    kinds = set(getattr(config, "layer_types", None) or [])
    other = kinds - {"full_attention", "sliding_attention"}
    if other:
        raise ContractError(
            f"{config.model_type} has layers of kind {', '.join(sorted(other))}.",
            where="decoder/hf",
            expected="layers of full or sliding attention: their cache can be cut and rearranged",
            fix="choose a model whose layers are all attention",
        )
    return ("by_layer_type", "single") if kinds else ("single",)


def transformers_mask(
    config: PretrainedConfig,
    style: Style,
    x_BLD: Tensor,
    positions_BL: Tensor,
    mask: Mask,
    cache: HFCache | None,
) -> Tensor | dict[str, Tensor] | None:
    """What to pass as ``attention_mask``: None where the model's own causal mask is the same.

    Returns:
        ``(B or 1, 1, L, S)`` of 0 and the dtype's lowest number, one a kind of layer where the
        model has kinds, or None.
    """
    window = getattr(config, "sliding_window", None)
    if window is None and _is_plain(mask, positions_BL, cache):
        return None
    num_queries = x_BLD.shape[1]
    num_keys = num_queries + (cache.rows.longest if cache is not None else 0)
    full_BLS = mask.allowed(num_queries, num_keys, device=x_BLD.device)
    slid_BLS = full_BLS if window is None else full_BLS & _near(positions_BL, cache, window)
    if style == "single":
        return _additive(slid_BLS, x_BLD.dtype)
    return {
        "full_attention": _additive(full_BLS, x_BLD.dtype),
        "sliding_attention": _additive(slid_BLS, x_BLD.dtype),
    }


def _is_plain(mask: Mask, positions_BL: Tensor, cache: HFCache | None) -> bool:
    """Whether the model, left alone, would look exactly where ``mask`` allows."""
    if isinstance(mask, CausalCached):
        aligned = cache is not None and mask.lengths_B is cache.lengths_B and cache.rows.even
        return aligned and positions_BL.shape[1] == 1
    if not isinstance(mask, Causal) or (cache is not None and cache.rows.longest):
        return False
    # without a mask transformers looks at positions for packed documents, and meta has no values
    if positions_BL.is_meta:
        return False
    # positions that jump would be taken for packed documents
    steps = positions_BL[:, 1:] - positions_BL[:, :-1]
    return bool((steps == 1).all())


def _near(positions_BL: Tensor, cache: HFCache | None, window: int) -> Tensor:
    """``(B, L, S)`` bool: keys less than a window behind their query."""
    if cache is None:
        queries_BL, keys_BS = positions_BL, positions_BL
    else:
        # behind a cache, distance counts slots: rows lie without holes
        new_L = torch.arange(positions_BL.shape[1], device=positions_BL.device)
        queries_BL = cache.lengths_B[:, None] + new_L
        keys_BS = torch.arange(cache.rows.longest + len(new_L), device=new_L.device)[None]
    return queries_BL[:, :, None] - keys_BS[:, None, :] < window


def _additive(allowed_BLS: Tensor, dtype: torch.dtype) -> Tensor:
    hidden_B1LS = ~allowed_BLS[:, None]
    zeros = torch.zeros(hidden_B1LS.shape, dtype=dtype, device=allowed_BLS.device)
    return zeros.masked_fill(hidden_B1LS, torch.finfo(dtype).min)
