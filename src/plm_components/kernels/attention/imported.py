"""Other people's kernels: imported when a part is built, never when it is listed."""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from typing import Any

from plm_components.errors import UnavailableError


def import_kernels(address: str, module: str) -> Any:
    """The module; UnavailableError with its own words where it is installed and cannot be used."""
    found = sys.modules.get(module)
    if found is not None:
        return found
    try:
        with warnings.catch_warnings():
            # what it warns of is its own, and a warning that is made an error is no obstacle
            warnings.simplefilter("ignore")
            return import_module(module)
    except Exception as error:  # a binary that does not fit torch raises anything
        raise UnavailableError(
            f"{address} is unavailable: importing {module} fails "
            f"({type(error).__name__}: {error}).",
            where=address,
            expected=f"a {module} that was built for this torch, CUDA and Python",
            fix="install one that fits, or choose another attention part (plm list attention)",
        ) from error
