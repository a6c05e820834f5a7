"""Two hundred plugins of five parts: listed at once, and nothing of theirs is imported."""

import os
import resource
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

import plm_components
from plugin_dists import Site, registering

PLUGINS = 200
KINDS = ("projector", "pooling", "attention", "video_sampler", "decoder_block")
# wall seconds on an idle machine, interpreter included; processor time is what is compared, so
# that other work on the machine does not count
BUDGET_S = 0.6


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A folder to put on the path; importing any part ends the process."""
    site = Site(tmp_path_factory.mktemp("many"))
    for number in range(PLUGINS):
        name = f"plm_gen_{number}"
        target = f"{name}_parts:Part"
        requires = "('torch>=2', 'numpy', 'cuda>=8.0')"
        site.plugin(
            name,
            registering(
                *(f"{kind!r}, 'gen_{number}', {target!r}, requires={requires}" for kind in KINDS)
            ),
        )
        site.module(f"{name}_parts", "import os; os._exit(9)")
        # a real one describes itself at length
        with (site.folder / f"{name}-1.0.dist-info" / "METADATA").open("a") as stream:
            stream.write("A line of a long description.\n" * 300)
    return site.folder


def run(folder, *words):
    """Its output, and the processor seconds it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    source = Path(plm_components.__file__).parents[1]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(source), str(folder)])}
    for name in ("PYTHONDONTWRITEBYTECODE", "PLM_PLUGINS", "PLM_STRICT_PLUGINS"):
        env.pop(name, None)
    command = [sys.executable, *words]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return done.stdout, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_a_thousand_parts_are_listed_in_no_time(many):
    listed, _ = run(many, "-m", "plm_components", "list")  # and bytecode
    lines = [line for line in listed.splitlines() if "plm-gen-" in line]
    assert len(lines) == PLUGINS * len(KINDS)
    assert all("untested here" in line and "(needs cuda>=8.0)" in line for line in lines)
    seconds = [run(many, "-m", "plm_components", "list")[1] for _ in range(3)]
    assert statistics.median(seconds) < BUDGET_S


def test_nothing_is_imported_that_a_spec_does_not_use(many):
    code = (
        "import sys; from plm_components.cli import main; assert main(['list']) == 0;"
        "parts = [name for name in sys.modules if name.endswith('_parts')];"
        "heavy = [name for name in ('torch', 'numpy', 'transformers') if name in sys.modules];"
        "print(len(parts), heavy)"
    )
    assert run(many, "-c", code)[0].endswith("\n0 []\n")
