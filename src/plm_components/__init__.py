"""Vision-language models out of interchangeable parts.

Importing this package loads no torch; each name below is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plm_components.assembly.check import check
    from plm_components.assembly.licenses import licenses
    from plm_components.errors import PlmError
    from plm_components.opening import assemble, graft, load
    from plm_components.variant import Variant
    from plm_components.zoo import Component, Zoo, hookimpl, list_components

__version__ = "0.1.0"

_HOMES = {
    "Component": "zoo",
    "PlmError": "errors",
    "Variant": "variant",
    "Zoo": "zoo",
    "assemble": "opening",
    "check": "assembly",
    "graft": "opening",
    "hookimpl": "zoo",
    "licenses": "assembly",
    "list_components": "zoo",
    "load": "opening",
}

__all__ = [
    "Component",
    "PlmError",
    "Variant",
    "Zoo",
    "__version__",
    "assemble",
    "check",
    "graft",
    "hookimpl",
    "licenses",
    "list_components",
    "load",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
