"""Parts that choose among others, assembled: auto, a plugin's chooser, a plugin's kernel."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import plm_components as plm
from plm_components.assembly import check
from plm_components.errors import UnsupportedError
from plm_components.kernels.attention.hardware import machine_of
from plm_components.measured import Row, Table, write_table
from plm_components.testing import conformance
from plm_components.zoo import Zoo, default_zoo
from plugin_dists import Site, registering
from small_specs import ask, tiny_spec

AUTO = ["decoder.block.attention=auto"]
# a kernel of its own: exact, and no test of ours has ever run it
KERNEL = """
from plm_components.contracts import AttentionSupport
from plm_components.kernels.attention.eager import EagerAttention
from dataclasses import replace

class Own(EagerAttention):
    support = replace(EagerAttention.support, portable=False)

class Broken(EagerAttention):
    support = None

import sys
sys.modules["plm_own_was_imported"] = sys.modules[__name__]
"""
CHOOSER = """
from typing import Annotated
from plm_components.contracts import Candidates, Choice, EveryPart
from plm_components.kernels.attention.eager import EagerAttention

class Last(EagerAttention):
    def __init__(
        self, num_heads: int, num_kv_heads: int, head_dim: int, *, mood: str = "calm",
        candidates: Annotated[Candidates, EveryPart("attention")],
    ) -> None:
        super().__init__(num_heads, num_kv_heads, head_dim)
        self.mood, self.candidates = mood, candidates

    def explain(self, call):
        if self.mood == "broken":
            raise ValueError("out of sorts")
        if self.mood == "elsewhere":
            return Choice("plm-nobody:nothing", "it is the last")
        return Choice(sorted(self.candidates)[-1], f"{call.mask.__name__}, it is the last")
"""


@pytest.fixture
def own(site: Site) -> Site:
    """A plugin with a kernel of its own, version 1.0."""
    site.plugin("plm_own", registering("'attention', 'own', 'plm_own_parts:Own'"))
    site.module("plm_own_parts", KERNEL)
    return site


@pytest.fixture
def last(site: Site) -> Site:
    """A plugin with a chooser of its own."""
    site.plugin("plm_last", registering("'attention', 'last', 'plm_last_parts:Last'"))
    site.module("plm_last_parts", CHOOSER)
    return site


def kernel(zoo: Zoo, overrides: list[str] = AUTO) -> Any:
    variant = plm.assemble(tiny_spec(), overrides=overrides, zoo=zoo, init="random")
    return variant.model.decoder.layers[0].attention


def row(**changes: Any) -> Row:
    """Of the tiny spec's prefill, by the plugin's kernel."""
    known = Row(
        kind="attention",
        part="attention/own",
        provider="plm-own",
        version="1.0",
        mask="Causal",
        dtype="float32",
        backward=False,
        batch=1,
        num_heads=4,
        num_kv_heads=2,
        head_dim=8,
        num_queries=32,
        num_keys=32,
        median_s=1e-5,
        error=1.0,
    )
    return replace(known, **changes)


def measured(folder: Path, *rows: Row) -> Path:
    machine = machine_of(torch.device("cpu"))
    assert machine is not None
    write_table(folder / "table.json", Table(machine, rows))
    return folder / "table.json"


def test_auto_answers_in_the_encoder_and_in_the_decoder() -> None:
    encoder = {
        "type": "pe",
        "dim": 32,
        "num_layers": 1,
        "num_heads": 2,
        "ffn_dim": 48,
        "patch_size": 14,
        "image_size": 56,
    }
    spec = tiny_spec(vision_encoder=encoder)
    both = ["vision_encoder.attention=auto", *AUTO]
    plain = plm.assemble(spec, init="random", seed=3)
    chosen = plm.assemble(spec, overrides=both, init="random", seed=3)
    image = torch.zeros(1, 3, 56, 56)

    with torch.no_grad():
        encoded = [one.model.vision_encoder(image) for one in (plain, chosen)]
    assert torch.equal(*encoded)
    answers = [ask(one, "what moves?", max_new_tokens=3) for one in (plain, chosen)]
    assert answers[0] == answers[1]
    asked = chosen.model.decoder.layers[0].attention.choices
    assert {request.mask.__name__ for request in asked} == {"Causal", "CausalCached"}
    assert {choice.part for choice in asked.values()} == {"plm-components:sdpa"}


def test_a_plugins_kernel_is_offered_without_an_edit_and_not_imported(own: Site) -> None:
    attention = kernel(Zoo.discover())

    assert "plm-own:own" in attention.candidates
    assert "plm-components:auto" not in attention.candidates
    assert "plm_own_parts" not in sys.modules


def test_a_plugins_kernel_that_was_measured_here_is_taken(own: Site, tmp_path: Path) -> None:
    table = measured(tmp_path, row(), row(part="attention/sdpa", provider="plm-components"))
    attention = [*AUTO, f"decoder.block.attention.table={table}"]
    report = check(tiny_spec(), attention, zoo=Zoo.discover())

    taken = {choice.stage: choice.part for choice in report.choices}
    assert taken == {"prefill": "own", "decode": "sdpa"}
    assert "fastest of 2 measured" in str(report)


def test_a_kernel_of_another_version_is_passed_over(own: Site, tmp_path: Path) -> None:
    table = measured(tmp_path, row(version="0.9"))
    attention = [*AUTO, f"decoder.block.attention.table={table}"]
    prefill, _ = check(tiny_spec(), attention, zoo=Zoo.discover()).choices

    assert prefill.part == "sdpa"
    assert "plm_own_parts" not in sys.modules


@pytest.mark.parametrize(("inner", "taken"), [("2.8.3", "own"), ("2.9.0", "sdpa")])
def test_a_kernel_around_another_version_of_another_is_passed_over(
    site: Site, tmp_path: Path, inner: str, taken: str
) -> None:
    site.plugin("plm_inner", "", version=inner)
    requires = "requires=('plm-inner>=2.8',)"
    site.plugin("plm_own", registering(f"'attention', 'own', 'plm_own_parts:Own', {requires}"))
    site.module("plm_own_parts", KERNEL)
    table = measured(tmp_path, row(version="1.0 with plm-inner 2.8.3"))
    attention = [*AUTO, f"decoder.block.attention.table={table}"]
    prefill, _ = check(tiny_spec(), attention, zoo=Zoo.discover()).choices

    assert prefill.part == taken
    told = "measured in 1.0 with plm-inner 2.8.3, here is 1.0 with plm-inner 2.9.0"
    assert prefill.passed_over == (() if taken == "own" else (f"attention/own 0.01 ms, {told}",))


@pytest.mark.parametrize("how", ["blocked", "quarantined"])
def test_what_is_put_aside_is_not_offered(
    how: str, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    if how == "blocked":
        site.plugin("plm_own", registering("'attention', 'own', 'plm_own_parts:Own'"))
        monkeypatch.setenv("PLM_PLUGINS", "-plm-own")
    else:
        site.plugin("plm_own", "raise OSError('no')")
    zoo = Zoo.discover()

    assert [plugin.aside for plugin in zoo.plugins if plugin.aside] == [how]
    assert "plm-own:own" not in kernel(zoo).candidates


def test_what_is_unavailable_or_broken_is_passed_over_with_its_reason(
    site: Site, tmp_path: Path
) -> None:
    site.plugin(
        "plm_own",
        registering(
            "'attention', 'own', 'plm_own_parts:Own', requires=('plm-nowhere',)",
            "'attention', 'own_broken', 'plm_own_parts:Broken'",
            "'attention', 'own_crash', 'plm_own_crash:Own'",
        ),
    )
    site.module("plm_own_parts", KERNEL)
    site.module("plm_own_crash", "raise OSError('no driver')")
    names = ("own", "own_broken", "own_crash")
    table = measured(tmp_path, *(row(part=f"attention/{name}") for name in names))
    attention = [*AUTO, f"decoder.block.attention.table={table}"]
    prefill, _ = check(tiny_spec(), attention, zoo=Zoo.discover()).choices

    assert prefill.part == "sdpa"
    # nothing in the table can be taken, so capability decides, and says what came before it
    assert prefill.reason.startswith("nothing measured near this shape on ")
    own, broken, crash = prefill.passed_over
    assert own.endswith("unavailable: needs plm-nowhere, which is not installed")
    assert broken.endswith("it does not say what it supports")
    assert "no driver" in crash


def test_a_plugin_may_bring_a_chooser(last: Site, own: Site) -> None:
    zoo = Zoo.discover()
    attention = kernel(zoo, ["decoder.block.attention=last"])

    # auto is offered, and refuses to be chosen: it would choose in turn
    assert {"plm-own:own", "plm-components:sdpa", "plm-components:auto"} <= set(
        attention.candidates
    )
    with pytest.raises(UnsupportedError, match="attention/auto cannot be chosen: it chooses"):
        attention.candidates["plm-components:auto"].load()
    report = check(tiny_spec(), ["decoder.block.attention=last"], zoo=zoo)
    assert [(one.stage, one.part, one.reason) for one in report.choices] == [
        ("prefill", "own", "Causal, it is the last"),
        ("decode", "own", "CausalCached, it is the last"),
    ]


@pytest.mark.parametrize("check_name", ["builds", "options_declared", "members_present"])
def test_a_chooser_is_no_failure_of_conformance(last: Site, check_name: str) -> None:
    zoo = Zoo.discover()
    (result,) = conformance(zoo.get("attention", "last"), zoo=zoo, only=check_name)

    assert (result.outcome, result.detail) == ("passed", "")


def test_a_variant_that_chooses_is_exported_as_one_that_does_not(tmp_path: Path) -> None:
    for name, overrides in (("plain", []), ("auto", AUTO)):
        plm.assemble("plm-tiny", overrides=overrides).export(tmp_path / name, format="original")
    plain, auto = ((tmp_path / name / "params.json").read_text() for name in ("plain", "auto"))

    assert plain == auto


def test_two_choosers_do_not_choose_each_other(last: Site) -> None:
    report = check(tiny_spec(), AUTO, zoo=Zoo.discover())

    assert report.ok
    assert {choice.part for choice in report.choices} == {"sdpa"}


@pytest.mark.parametrize(
    ("mood", "what"),
    [
        ("broken", "attention/last cannot say what it takes: ValueError: out of sorts"),
        ("elsewhere", "No attention is named 'plm-nobody:nothing'."),
    ],
)
def test_a_chooser_that_fails_is_a_fault(last: Site, mood: str, what: str) -> None:
    attention = ["decoder.block.attention=last", f"decoder.block.attention.mood={mood}"]
    report = check(tiny_spec(), attention, zoo=Zoo.discover())

    assert not report.ok
    assert {fault.what for fault in report.faults} == {what}
    assert report.edits == ("decoder.block.attention=auto",)


def test_check_says_what_is_taken_where_and_in_which_dtype() -> None:
    report = check("plm-tiny", AUTO, device="cuda", dtype="bfloat16")

    lines = [str(choice) for choice in report.choices]
    told = [line.partition(":")[0] for line in lines]
    assert told == ["decoder.block.attention, prefill", "decoder.block.attention, decode"]
    assert all(line in str(report) for line in lines)
    assert report.to_dict()["choices"][0]["stage"] == "prefill"


def test_a_device_that_nothing_can_use_is_a_fault() -> None:
    report = check("plm-tiny", AUTO, device="xpu")

    assert "attention/auto cannot do device xpu" in str(report)


def test_a_table_travels_with_a_saved_variant(tmp_path: Path) -> None:
    table = measured(tmp_path, row())
    attention = {"type": "auto", "table": str(table), "precision": "fast"}
    spec = tiny_spec()
    spec["decoder"]["block"]["attention"] = attention
    variant = plm.assemble(spec, init="random")
    variant.save(tmp_path / "saved")
    table.unlink()
    loaded = plm.load(tmp_path / "saved")

    options = loaded.model.decoder.layers[0].attention
    assert options.precision == "fast"
    assert Path(options.table).is_file()
    saved = yaml.safe_load((tmp_path / "saved" / "plm.yaml").read_text())
    assert saved["decoder"]["block"]["attention"]["table"].startswith("./files/")
    assert str(tmp_path) not in (tmp_path / "saved" / "plm.lock").read_text()


def test_a_missing_table_is_a_fault_of_the_spec(tmp_path: Path) -> None:
    report = check(tiny_spec(), [*AUTO, f"decoder.block.attention.table={tmp_path}/none.json"])

    (fault,) = report.faults
    assert fault.where.startswith("decoder.block.attention")
    assert "No such file or directory" in fault.what


def test_specs_that_ship_choose_nothing_silently() -> None:
    assert default_zoo().get("attention", "sdpa").load().support.portable
    for name in ("plm-tiny", "plm-1b"):
        assert check(name).choices == ()
