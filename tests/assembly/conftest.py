"""A zoo with parts that break promises."""

import pytest

from plm_components.zoo import Component, Provider, Zoo, default_zoo

_PROVIDER = Provider("plm-fakes", "0.1.0")


@pytest.fixture
def fakes() -> Zoo:
    zoo = default_zoo().copy()
    for kind, name, cls in (
        ("projector", "attending", "AttendingProjector"),
        ("projector", "headless", "HeadlessProjector"),
        ("projector", "stacked", "StackedProjector"),
        ("projector", "failing", "FailingProjector"),
        ("projector", "narrow", "NarrowProjector"),
        ("projector", "lying_grid", "LyingGridProjector"),
        ("projector", "crashing", "CrashingProjector"),
        ("projector", "half", "HalfProjector"),
        ("projector", "forgetful", "ForgetfulProjector"),
        ("attention", "training_only", "TrainingOnlyAttention"),
        ("image_tiler", "wrong_size", "WrongSizeTiler"),
    ):
        zoo.add(Component(kind, name, f"fake_parts:{cls}"), provider=_PROVIDER)
    return zoo
