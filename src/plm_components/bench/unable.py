"""Who is unable, and not wrong: what may be raised without a judgement on the contender."""

from __future__ import annotations

import torch

from plm_components.errors import UnavailableError, UnsupportedError

_KINDS = (UnsupportedError, UnavailableError, torch.OutOfMemoryError)
# torch's processor and Triton have no types of their own for these
_WORDS = ("DefaultCPUAllocator: can't allocate memory", "Failed to find C compiler")


def is_unable(error: Exception) -> bool:
    """Whether it declares that it cannot, or the machine is too small or lacks a compiler."""
    return isinstance(error, _KINDS) or any(words in str(error) for words in _WORDS)
