"""Every command works whatever plugins do, and ``--json`` is one document on stdout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import plm_components
from misbehaving import CASES, HEAVY, install_all
from plm_components.doctor import diagnosis
from plm_components.doctor.probes import Probe
from plugin_dists import registering


@pytest.fixture
def sound_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every package fine and no accelerator; nothing imported."""

    def sound(names, *, timeout_s):
        facts = {"torch": {"cuda_build": None, "threads": 1, "devices": [], "mps": False}}
        return {name: Probe(name, "9.9", "ok", facts=facts.get(name, {})) for name in names}

    monkeypatch.setattr(diagnosis, "probe", sound)
    monkeypatch.setattr(diagnosis, "_unmet", lambda *_: None)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.usefixtures("sound_machine")
def test_whatever_a_plugin_does(plm, site, name: str) -> None:
    ours = {one["address"] for one in json.loads(plm("list", "--json").out)}
    CASES[name].install(site, name)
    topic = f"plm-m-{name}".replace("_", "-")

    listed = json.loads(plm("list", "--json").out)
    plugins = json.loads(plm("plugins", "list", "--json").out)
    examined = plm("plugins", "doctor", "--json")
    doctor = json.loads(plm("doctor", "--json").out)

    assert ours | set(CASES[name].parts) == {one["address"] for one in listed}
    [plugin] = [one for one in plugins if one["provider"] == topic]
    assert plugin["state"] == CASES[name].state
    assert f"plugin {topic}" in {one["topic"] for one in json.loads(examined.out)["findings"]}
    assert examined.code == (0 if json.loads(examined.out)["ok"] else 1)
    # a plugin is never what the main job needs
    assert doctor["ok"] is True
    for words in (("list",), ("doctor",), ("plugins", "list"), ("plugins", "doctor")):
        assert plm(*words).out


@pytest.mark.usefixtures("sound_machine")
def test_all_of_them_at_once_and_a_spec_still_fits(plm, site) -> None:
    install_all(site)
    site.plugin("plm_unused", registering("'projector', 'unused', 'plm_unused_part:Part'"))
    site.module("plm_unused_part", "")

    outcome = plm("check", "plm-tiny", "--json")

    assert outcome.code == 0
    assert json.loads(outcome.out)["ok"] is True
    # nothing is imported that the spec does not use
    assert "plm_unused" in sys.modules
    assert "plm_unused_part" not in sys.modules
    assert json.loads(plm("doctor", "--json").out)["ok"] is True


def _run(site, *words: str) -> subprocess.CompletedProcess[str]:
    source = Path(plm_components.__file__).parents[1]
    path = os.pathsep.join([str(site.folder), str(source)])
    return subprocess.run(
        [sys.executable, "-m", "plm_components", *words],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_stdout_is_the_document_even_where_a_plugin_writes_past_python(site) -> None:
    install_all(site)
    site.module("torch", "")  # a stand-in, so that importing it takes no time
    site.plugin("plm_m_heavy", HEAVY)

    listed = _run(site, "list", "--json")
    plugins = _run(site, "plugins", "list", "--json")

    assert {"projector/a_good", "projector/printing", "projector/z_good"} <= {
        one["address"] for one in json.loads(listed.stdout)
    }
    assert "printed at import\n" in listed.stderr
    assert "echoed at import\n" in listed.stderr
    [heavy] = [one for one in json.loads(plugins.stdout) if one["plugin"] == "plm-m-heavy"]
    assert (heavy["state"], heavy["notes"]) == ("loaded", ["imports torch to be listed"])


def test_a_part_that_prints_leaves_the_document_whole(plm, site) -> None:
    site.plugin("plm_loud", registering("'video_sampler', 'loud', 'plm_loud_part:Loud'"))
    site.module("plm_loud_part", "print('loud')\n\n\nclass Loud:\n    'A part.'\n")

    outcome = plm("show", "video_sampler/loud", "--json")

    assert json.loads(outcome.out)["doc"] == "A part."
    assert outcome.err == "loud\n"


def test_an_error_is_a_document_too(plm, site) -> None:
    CASES["prints"].install(site, "prints")

    outcome = plm("show", "projector/nobody", "--json")

    assert outcome.code == 1
    assert json.loads(outcome.out)["error"]["what"] == "No projector is named 'nobody'."


def test_the_list_of_plugins_for_people(plm, site, monkeypatch) -> None:
    site.plugin("plm_one", registering("'projector', 'one', 'a:B'"), version="0.3.1")
    site.plugin("plm_two", "raise OSError('no')")
    site.plugin("plm_three", "raise OSError('never')")
    monkeypatch.setenv("PLM_PLUGINS", "-plm-three")

    head, *rows = plm("plugins", "list").out.splitlines()

    assert head.split() == ["plugin", "state", "provider", "parts,", "or", "why", "none"]
    assert [" ".join(row.split()) for row in rows] == [
        "plm-one loaded plm-one 0.3.1 projector/one",
        "plm-three blocked plm-three 1.0 PLM_PLUGINS blocks it",
        "plm-two quarantined plm-two 1.0 OSError: no",
    ]


def test_the_list_says_what_is_not_loaded_and_where_to_look(plm, site) -> None:
    site.plugin("plm_two", "raise OSError('no')")

    outcome = plm("list", "pooling")

    assert outcome.code == 0
    assert outcome.err == "not loaded: plm-two 1.0: OSError: no (plm plugins doctor says more)\n"


def test_the_doctor_of_plugins_shows_the_traceback_and_what_to_do(plm, site) -> None:
    site.plugin("plm_two", "raise OSError('no')")

    outcome = plm("plugins", "doctor")
    lines = [" ".join(line.split()) for line in outcome.out.splitlines()]

    assert outcome.code == 1
    assert "plugin plm-two broken plm-two 1.0 quarantined: OSError: no" in lines
    assert (
        "plugin plm-two: pip install --upgrade plm-two, or leave it out: PLM_PLUGINS=-plm-two"
        in lines
    )
    assert "Traceback (most recent call last):" in lines
    assert lines[-1] == "OSError: no"


def test_a_wrong_name_in_the_environment_is_told_by_every_command(plm, site, monkeypatch) -> None:
    site.plugin("plm_one", registering("'projector', 'one', 'a:B'"))
    monkeypatch.setenv("PLM_PLUGINS", "plm-on")
    note = (
        "note: PLM_PLUGINS names 'plm-on', and no installed plugin is called so: "
        "did you mean plm-one?\n"
    )

    assert plm("list", "pooling").err == note
    assert plm("show", "pooling/mean").err == note
    examined = plm("plugins", "doctor")
    assert examined.code == 1
    assert "PLM_PLUGINS: correct the name, or unset PLM_PLUGINS" in examined.out


def test_two_providers_of_a_name_of_ours(plm, site) -> None:
    site.plugin("plm_loud", registering("'pooling', 'adaptive', 'a:B', summary='theirs'"))

    rows = [" ".join(row.split()) for row in plm("list", "pooling").out.splitlines()]
    outcome = plm("show", "pooling/adaptive")

    assert (
        "pooling/adaptive available plm-loud 1.0 theirs "
        + ("(not alone of this name: type: plm-loud:adaptive)")
        in rows
    )
    assert outcome.code == 1
    assert outcome.err == (
        "pooling/adaptive is registered more than once: by plm-components 0.1.0 and plm-loud 1.0.\n"
        "  where:    pooling/adaptive\n"
        "  expected: one provider of a name\n"
        "  fix:      choose one by its distribution: "
        "type: plm-components:adaptive or type: plm-loud:adaptive\n"
    )
    assert plm("plugins", "doctor").code == 1


def test_a_spec_chooses_between_two_providers(plm, site) -> None:
    target = "plm_components.projectors.linear:LinearProjector"
    site.plugin("plm_twin", registering(f"'projector', 'linear', {target!r}"))

    refused = plm("check", "plm-tiny", "projector.type=linear")
    chosen = plm("show", "plm-tiny", "projector.type=plm-twin:linear", "--json")
    whole = plm("show", "plm-tiny", "projector=plm-components:linear", "--json")

    assert refused.code == 1
    assert "projector/linear is registered more than once" in refused.out
    assert "type: plm-components:linear or type: plm-twin:linear" in refused.out
    assert json.loads(chosen.out)["projector"]["type"] == "plm-twin:linear"
    assert json.loads(whole.out)["projector"]["type"] == "plm-components:linear"


def test_devices_are_told_by_the_list_and_asked_by_check_and_doctor(
    plm, site, sound_machine
) -> None:
    target = "plm_components.projectors.linear:LinearProjector"
    site.plugin("plm_gpu", registering(f"'projector', 'gpu', {target!r}, requires=('cuda>=99',)"))

    [listed] = [one for one in json.loads(plm("list", "--json").out) if one["name"] == "gpu"]
    checked = plm("check", "plm-tiny", "projector.type=gpu")
    findings = json.loads(plm("doctor", "--json").out)["findings"]

    assert (listed["status"], listed["reason"]) == ("available", "needs cuda>=99")
    assert "it needs cuda>=99, which this machine lacks" in checked.out
    assert ("projector/gpu", "absent", "it needs cuda>=99, which this machine lacks") in {
        (one["topic"], one["state"], one["detail"]) for one in findings
    }


def test_the_doctor_of_plugins_groups_what_parts_lack(plm, site) -> None:
    site.plugin(
        "plm_some",
        registering(
            *(f"'projector', 'p{n}', 'a:B', requires=('plm-absent',)" for n in range(5)),
            "'projector', 'fine', 'a:B'",
        ),
    )

    findings = json.loads(plm("plugins", "doctor", "--json").out)["findings"]

    assert [(one["topic"], one["state"], one["detail"], one["fix"]) for one in findings] == [
        ("plugin plm-some", "ok", "plm-some 1.0 loaded: 6 parts", ""),
        (
            "projector/p0, projector/p1, projector/p2 and 2 more",
            "absent",
            "each needs plm-absent, which is not installed",
            "pip install 'plm-absent'",
        ),
    ]


def test_strictness_raises_and_says_how_to_end_it(plm, site, monkeypatch) -> None:
    site.plugin("plm_two", "raise OSError('no')")
    monkeypatch.setenv("PLM_STRICT_PLUGINS", "1")

    outcome = plm("list")

    assert outcome.code == 1
    assert outcome.err.startswith("The plugin plm-two of plm-two 1.0 fails: OSError: no.\n")


def test_no_plugin_at_all(plm, site) -> None:
    assert plm("plugins", "list") == (0, "no plugin is installed\n", "")
    assert plm("plugins", "list", "--json").out == "[]\n"
    assert plm("plugins", "doctor") == (0, "no plugin is installed\n", "")


def test_an_offered_file_is_a_plugin_of_this_command(plm, site) -> None:
    part = site.folder / "my_part.py"
    part.write_text(registering("'projector', 'mine', 'my_part:Mine'") + "print('hello')\n")

    outcome = plm("plugins", "list", "--json", "--plugin", str(part))
    [found] = json.loads(outcome.out)

    assert (found["plugin"], found["version"], found["parts"]) == (
        "my_part",
        "unpublished",
        ["projector/mine"],
    )


@pytest.mark.parametrize(
    ("words", "what", "fix"),
    [
        (
            ("plugins",),
            "The following arguments are required: ACTION.",
            "plm plugins --help",
        ),
        (
            ("plugins", "lst"),
            "Argument ACTION: invalid choice: 'lst' "
            "(choose from 'list', 'doctor', 'validate', 'new').",
            "did you mean list?",
        ),
    ],
)
def test_an_action_that_is_missing_or_unknown(plm, words, what, fix) -> None:
    outcome = plm(*words)

    assert outcome.code == 2
    assert outcome.err.splitlines()[0].replace("from list, doctor", "from 'list', 'doctor'") == what
    assert outcome.err.splitlines()[-1] == f"  fix:      {fix}"
