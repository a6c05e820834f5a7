"""What must hold of the plugins in any environment that has their wheels."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

from clean_environment import PLUGINS, ROOT, CleanEnvironment

PARTS = {
    "plm-gated-resampler": "projector/gated_resampler",
    "plm-liger-block": "decoder_block/liger",
    "plm-qwen3-block": "decoder_block/qwen3",
    "plm-scene-sampler": "video_sampler/scene_change",
    "plm-tome": "projector/tome",
}
_CHECK = re.compile(r"^plm check (\S+)(.*)$", re.M)


def assert_nothing_is_of_this_tree(clean: CleanEnvironment) -> None:
    """Every package is imported from the environment; the sources are not on the path."""
    packages = ["plm_components", *(name.replace("-", "_") for name in PARTS)]
    seen = clean.json(
        "import importlib, json, sys\n"
        f"files = [importlib.import_module(name).__file__ for name in {packages}]\n"
        "print(json.dumps({'path': sys.path, 'files': files}))"
    )
    sources = {ROOT / "src", *(plugin / "src" for plugin in PLUGINS)}
    assert not sources & {Path(place).resolve() for place in seen["path"] if place}
    for file in seen["files"]:
        assert Path(file).is_relative_to(clean.folder), file


def listed(clean: CleanEnvironment) -> list[dict[str, Any]]:
    """What ``plm list --json`` says of the plugins' parts; it warns of nothing."""
    done = clean.run("-m", "plm_components", "list", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    return [part for part in json.loads(done.stdout) if part["provider"] in PARTS]


def run_own_tests(clean: CleanEnvironment) -> str:
    """Each plugin's tests, conformance among them, and its benchmark once; what pytest said."""
    for plugin in PLUGINS:
        for folder in ("tests", "benchmarks"):
            shutil.copytree(plugin / folder, clean.folder / plugin.name / folder)
    options = ["-q", "-W", "error", "--import-mode=importlib", "--benchmark-disable", "-rs"]
    folders = [plugin.name for plugin in PLUGINS]
    done = clean.run("-m", "pytest", "-p", "no:cacheprovider", *options, *folders, seconds=900)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout


def check_readme_specs(clean: CleanEnvironment) -> list[tuple[str, bool]]:
    """Every ``plm check`` of the READMEs, in one process: whether the parts fit."""
    asked = [
        (plugin.name, spec, shlex.split(overrides))
        for plugin in PLUGINS
        for spec, overrides in _CHECK.findall((plugin / "README.md").read_text(encoding="utf-8"))
    ]
    fits = clean.json(
        "import json, plm_components as plm\n"
        f"reports = [plm.check(spec, overrides=overrides) for _, spec, overrides in {asked!r}]\n"
        "print(json.dumps([report.ok for report in reports]))"
    )
    return list(zip((name for name, *_ in asked), fits, strict=True))
