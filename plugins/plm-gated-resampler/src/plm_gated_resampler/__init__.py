"""A gated resampler for plm_components. Declaring the part imports no torch: its target is text."""

from collections.abc import Iterator

from plm_components import Component, hookimpl


@hookimpl
def plm_register_components() -> Iterator[Component]:
    """``projector/gated_resampler``."""
    yield Component(
        "projector",
        "gated_resampler",
        "plm_gated_resampler.gated_resampler:GatedResamplerProjector",
        summary="pooled tokens look at the whole tile through gates that begin closed",
        contract=1,
    )
