"""Declares a_kind/my_part; imports no torch."""

from collections.abc import Iterator

from plm_components import Component, hookimpl


@hookimpl
def plm_register_components() -> Iterator[Component]:
    """``a_kind/my_part``."""
    yield Component(
        "a_kind",
        "my_part",
        "plm_my_part.my_part:MyPart",
        summary="A_SUMMARY",
        contract=1,
    )
