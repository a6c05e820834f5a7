"""A mask as plain data, and back: the sizes of an operation say everything that could vary."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from plm_components.contracts import Causal, CausalCached, Documents, Full, Mask

Sizes = Mapping[str, int | str]


def mask_sizes(mask: Mask) -> dict[str, int | str]:
    """A mask by its name, and the numbers it holds as words."""
    match mask:
        case Documents():
            cu_seqlens = _words(mask.cu_seqlens)
            return {
                "mask": "Documents",
                "cu_seqlens": cu_seqlens,
                "shared_prefix": mask.shared_prefix,
            }
        case CausalCached():
            return {"mask": "CausalCached", "lengths": _words(mask.lengths_B)}
        case _:
            return {"mask": type(mask).__name__}


def mask_of(sizes: Sizes, device: torch.device | str = "cpu") -> Mask:
    """The mask that ``mask_sizes`` described."""
    match sizes["mask"]:
        case "Full":
            return Full()
        case "Causal":
            return Causal()
        case "Documents":
            starts = _numbers(sizes["cu_seqlens"], device)
            return Documents(starts, int(sizes["shared_prefix"]))
        case "CausalCached":
            return CausalCached(_numbers(sizes["lengths"], device))
        case other:
            raise ValueError(f"no mask is called {other!r}")


def visible_pairs(mask: Mask, batch: int, num_queries: int, num_keys: int) -> int:
    """Pairs of a query and a key that it may see, over a whole batch and one head."""
    match mask:
        case Full():
            return batch * num_queries * num_keys
        case Causal():
            return batch * num_queries * (num_queries + 1) // 2
        case CausalCached():
            last_BL = mask.lengths_B.cpu()[:, None] + torch.arange(num_queries)
            return int((last_BL + 1).clamp(0, num_keys).sum())
        case Documents():
            allowed = mask.allowed(num_queries, num_keys, device=torch.device("cpu"))
            return batch * int(allowed.sum())


def _words(numbers: Tensor) -> str:
    return " ".join(str(number) for number in numbers.tolist())


def _numbers(words: int | str, device: torch.device | str) -> Tensor:
    return torch.tensor([int(word) for word in str(words).split()], device=device)
