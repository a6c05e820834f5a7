"""Requirements are read from metadata; devices are asked only on use; nothing is imported."""

import sys
from importlib import metadata

import pytest

from plm_components.errors import UnavailableError
from plm_components.zoo import Component, Zoo


def entry(*requires):
    return Zoo().add(Component("attention", "x", "fractions:Fraction", requires=requires))


@pytest.mark.parametrize(
    "requires",
    [
        (),
        ("pluggy",),
        ("pluggy>=1",),
        ("pluggy>=1,<99", "packaging"),
        ("no-such-dist; sys_platform == 'nowhere'",),
    ],
)
def test_met_requirements_are_available(requires):
    found = entry(*requires)
    assert (found.status, found.reason) == ("available", None)
    assert found.load().__name__ == "Fraction"


@pytest.mark.parametrize(
    ("requires", "reason"),
    [
        (("plm-absent>=3",), "needs plm-absent>=3, which is not installed"),
        (
            ("pluggy>=999",),
            f"needs pluggy>=999, and {metadata.version('pluggy')} is installed",
        ),
        (("two words",), "has a malformed requirement 'two words'"),
        (("cuda", "plm-absent"), "needs plm-absent, which is not installed"),
    ],
)
def test_missing_requirements_are_a_state_with_a_reason(requires, reason):
    found = entry(*requires)
    assert (found.status, found.reason) == ("unavailable", reason)


@pytest.mark.parametrize(
    ("requires", "needed"),
    [
        ((), ""),
        (("cuda", "plm-absent>=3", "two words"), ""),
        (("pluggy>=1", "cuda"), f" with pluggy {metadata.version('pluggy')}"),
        (
            ("pluggy", "packaging>=20"),
            f" with pluggy {metadata.version('pluggy')}, packaging {metadata.version('packaging')}",
        ),
    ],
)
def test_what_a_measurement_is_of_names_what_the_part_needs(requires, needed):
    assert entry(*requires).edition == f"unpublished{needed}"


def test_the_whole_text_of_an_unavailable_part():
    with pytest.raises(UnavailableError) as error:
        entry("plm-absent>=3").load()
    assert str(error.value) == (
        "attention/x is unavailable: it needs plm-absent>=3, which is not installed.\n"
        "  where:    attention/x, from python unpublished\n"
        "  expected: plm-absent>=3\n"
        "  fix:      meet the requirement, or choose another attention (plm list attention)"
    )


def test_a_device_is_told_unresolved_and_asked_on_use(monkeypatch):
    found = entry("cuda>=8.0")
    assert (found.status, found.reason) == ("available", "needs cuda>=8.0")
    monkeypatch.setitem(sys.modules, "torch", _TorchWithout())
    with pytest.raises(UnavailableError, match=r"needs cuda>=8\.0, which this machine lacks"):
        found.load()


@pytest.mark.parametrize(
    ("requirement", "capability", "usable"),
    [("cuda", (7, 5), True), ("cuda>=8.0", (7, 5), False), ("cuda >= 8", (9, 0), True)],
)
def test_a_device_of_some_capability(monkeypatch, requirement, capability, usable):
    torch = _TorchWithout()
    torch.cuda.is_available = lambda: True
    torch.cuda.get_device_capability = lambda: capability
    monkeypatch.setitem(sys.modules, "torch", torch)
    found = entry(requirement)
    if usable:
        assert found.load().__name__ == "Fraction"
    else:
        with pytest.raises(UnavailableError):
            found.load()


class _TorchWithout:
    """Stands for torch on a machine without any accelerator."""

    class _Device:
        @staticmethod
        def is_available():
            return False

    def __init__(self):
        self.cuda = self._Device()
        self.xpu = self._Device()
        self.backends = type("backends", (), {"mps": self._Device()})
