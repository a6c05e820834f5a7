"""Token merging for plm_components. Declaring the part imports no torch: its target is text."""

from collections.abc import Iterator

from plm_components import Component, hookimpl


@hookimpl
def plm_register_components() -> Iterator[Component]:
    """``projector/tome``."""
    yield Component(
        "projector",
        "tome",
        "plm_tome.tome:ToMeProjector",
        summary="similar tokens merged into one (ToMe), then an MLP",
        contract=1,
    )
