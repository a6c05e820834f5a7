"""A sampler that looks, for plm_components. Declaring the part imports no torch."""

from collections.abc import Iterator

from plm_components import Component, hookimpl


@hookimpl
def plm_register_components() -> Iterator[Component]:
    """``video_sampler/scene_change``."""
    yield Component(
        "video_sampler",
        "scene_change",
        "plm_scene_sampler.scene_change:SceneChangeSampler",
        summary="looks first: a frame of every scene, the rest spread evenly",
        contract=1,
    )
