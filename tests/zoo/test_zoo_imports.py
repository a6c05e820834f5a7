"""Importing and listing stay light."""

import resource
import statistics
import subprocess
import sys

import pytest

import plm_components

HEAVY = ("torch", "torchvision", "timm", "transformers", "numpy", "PIL", "av")


def run(code):
    """Its output, and the processor seconds it took: other work on the machine does not count."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return done.stdout, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.parametrize(
    "code",
    [
        "import plm_components",
        "import plm_components as p; assert len(p.list_components()) > 20",
        "import plm_components as p; [(e.status, e.reason) for e in p.list_components()]",
        "from plm_components.spec import load_spec; load_spec('plm-8b', ['projector.pool=4'])",
        "import plm_components.errors, plm_components.builtins",
    ],
)
def test_nothing_heavy_is_imported(code):
    listed, _ = run(f"{code}\nimport sys; print(*[m for m in {HEAVY!r} if m in sys.modules])")
    assert listed.strip() == ""


def test_a_perception_lm_is_built_without_timm():
    code = "import plm_components as p; p.assemble('plm-1b', init='meta')"
    listed, _ = run(f"{code}\nimport sys; print(*[m for m in ('timm',) if m in sys.modules])")
    assert listed.strip() == ""


@pytest.mark.parametrize(
    ("code", "budget_s"),
    [
        ("import plm_components", 0.15),
        ("import plm_components as p; [(e.status, e.reason) for e in p.list_components()]", 0.4),
    ],
)
def test_time_budgets(code, budget_s):
    """Interpreter included; the median of several runs."""
    run(code)  # bytecode
    median_s = statistics.median(run(code)[1] for _ in range(5))
    assert median_s < budget_s


def test_all_is_what_can_be_imported():
    for name in plm_components.__all__:
        if name in {"Variant", "assemble", "check", "load"}:
            continue  # their floors import torch, and have tests of their own
        assert getattr(plm_components, name) is not None
    assert set(dir(plm_components)) == set(plm_components.__all__)


def test_an_unknown_attribute_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        plm_components.nope  # noqa: B018
