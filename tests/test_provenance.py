"""What a saved variant knows of its plugins, and what becomes of it where they are others."""

from __future__ import annotations

import json
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

import plm_components as plm
from plm_components.cli import main
from plm_components.errors import PluginError, UsageError
from plm_components.zoo import Zoo
from plugin_dists import HEAD, Site
from published import save_small
from small_specs import tiny_spec

PARTS = """
from plm_components.projectors.linear import LinearProjector

class Joint(LinearProjector):
    pass
"""
HOOK = """
{decorated}
def plm_register_components():
    yield Component("projector", "joint", "{home}:Joint")
"""


def publish(site: Site, name: str, version: str = "1.0", stated: str = "") -> None:
    """A plugin of one projector, whose module of parts is only imported when it is used."""
    site.module(f"{name}_parts", PARTS)
    source = HEAD + HOOK.format(decorated="@hookimpl", home=f"{name}_parts")
    site.plugin(name, source, version, stated)


def withdraw(site: Site, name: str) -> None:
    for path in site.folder.glob(f"{name}*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.fixture
def saved(site: Site, tmp_path: Path) -> Path:
    """A variant whose projector is a plugin's."""
    publish(site, "plm_alpha", stated="License-Expression: CC-BY-NC-4.0\n")
    spec = tiny_spec(projector={"type": "joint"})
    variant = plm.assemble(spec, init="random", zoo=Zoo.discover())
    return variant.save(tmp_path / "saved")


def locked(directory: Path, path: str = "projector") -> dict[str, Any]:
    parts = json.loads((directory / "plm.lock").read_text())["parts"]
    [found] = [part for part in parts if part["path"] == path]
    return dict(found)


def test_everything_about_a_plugins_part_is_in_the_lock(saved: Path) -> None:
    assert locked(saved) == {
        "path": "projector",
        "kind": "projector",
        "name": "joint",
        "distribution": "plm-alpha",
        "version": "1.0",
        "contract": 1,
        "options": {"bias": True},
        "entry_point": "plm-alpha = plm_alpha",
        "target": "plm_alpha_parts:Joint",
        "sha256": None,
        "code_license": "CC-BY-NC-4.0",
        "weights": None,
        "weights_license": "not stated",
    }
    assert locked(saved, "decoder.block")["weights_license"] is None


def test_the_same_plugin_loads_without_a_word(saved: Path) -> None:
    assert plm.load(saved, zoo=Zoo.discover()).differences == ()


def test_a_plugin_that_is_gone_is_named_with_what_to_type(site: Site, saved: Path) -> None:
    withdraw(site, "plm_alpha")
    with pytest.raises(PluginError) as caught:
        plm.load(saved, zoo=Zoo.discover())
    assert str(caught.value) == (
        "Parts of this variant are not installed: projector: projector/joint.\n"
        "  where:    projector\n"
        "  expected: plm-alpha 1.0\n"
        "  fix:      pip install plm-alpha==1.0"
    )


def test_a_plugin_that_was_put_aside_is_not_to_be_installed_again(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLM_PLUGINS", "-plm-alpha")
    with pytest.raises(PluginError) as caught:
        plm.load(saved, zoo=Zoo.discover())
    assert caught.value.fix == "plm-alpha 1.0 is here and blocked: plm plugins doctor says why"


def test_another_version_is_told(site: Site, saved: Path) -> None:
    withdraw(site, "plm_alpha-1.0")
    site.distribution("plm-alpha", {"plm-alpha": "plm_alpha"}, "1.1")
    assert plm.load(saved, zoo=Zoo.discover()).differences == (
        "projector came from plm-alpha 1.0, comes from plm-alpha 1.1",
    )


class TestANameThatBecameAmbiguous:
    def test_the_lock_says_which_is_meant(self, site: Site, saved: Path, tmp_path: Path) -> None:
        publish(site, "plm_beta")
        variant = plm.load(saved, zoo=Zoo.discover())
        assert type(variant.model.projector).__module__ == "plm_alpha_parts"
        assert variant.differences == ()
        again = variant.save(tmp_path / "again")
        assert "type: plm-alpha:joint\n" in (again / "plm.yaml").read_text()
        assert plm.load(again, zoo=Zoo.discover()).differences == ()

    def test_none_of_two_others_is_taken_for_it(self, site: Site, saved: Path) -> None:
        publish(site, "plm_beta")
        publish(site, "plm_gamma")
        withdraw(site, "plm_alpha")
        with pytest.raises(PluginError, match=r"pip install plm-alpha==1\.0"):
            plm.load(saved, zoo=Zoo.discover())

    def test_a_nested_part_too(self, site: Site, tmp_path: Path) -> None:
        saved = plm.assemble(tiny_spec(), init="random").save(tmp_path / "saved")
        hook = "@hookimpl\ndef plm_register_components():\n"
        yielded = "    yield Component('pooling', 'mean', 'fractions:Fraction')\n"
        site.plugin("plm_means", HEAD + hook + yielded)
        variant = plm.load(saved, zoo=Zoo.discover())
        assert variant.spec["projector"]["pooling"]["type"] == "plm-components:mean"
        assert variant.differences == ()


class TestAPartFile:
    @pytest.fixture
    def file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.chdir(tmp_path)
        file = tmp_path / "my_part.py"
        source = "from plm_components import Component\n" + PARTS
        file.write_text(source + HOOK.format(decorated="", home="my_part"))
        return file

    @pytest.fixture
    def saved(self, file: Path, tmp_path: Path) -> Path:
        spec = tiny_spec(projector={"type": "joint"})
        variant = plm.assemble(spec, init="random", plugins=["./my_part.py"])
        return variant.save(tmp_path / "saved")

    def test_it_is_marked_with_its_hash(self, file: Path, saved: Path) -> None:
        part = locked(saved)
        digest = sha256(file.read_bytes()).hexdigest()
        assert (part["distribution"], part["version"]) == ("./my_part.py", "unpublished")
        assert part["sha256"] == digest
        assert (part["entry_point"], part["code_license"]) == (None, "not stated")
        with pytest.raises(PluginError) as caught:
            plm.load(saved)
        assert caught.value.fix == (
            f"offer the part file ./my_part.py (sha256 {digest[:12]}) as a plugin"
        )

    def test_wherever_it_lies_it_is_the_same(self, file: Path, saved: Path) -> None:
        assert plm.load(saved, plugins=["./my_part.py"]).differences == ()
        (file.parent / "parts").mkdir()
        moved = file.rename(file.parent / "parts" / file.name)
        assert plm.load(saved, plugins=[moved]).differences == ()

    def test_what_was_edited_in_it_is_told(self, file: Path, saved: Path) -> None:
        before = locked(saved)["sha256"][:12]
        file.write_text(file.read_text() + "# edited\n")
        after = sha256(file.read_bytes()).hexdigest()[:12]
        assert plm.load(saved, plugins=["./my_part.py"]).differences == (
            f"projector came from ./my_part.py unpublished ({before}), "
            f"comes from ./my_part.py unpublished ({after})",
        )


class TestLicenses:
    def test_of_our_own(self) -> None:
        found = plm.licenses("plm-tiny")
        assert {part.code for part in found.parts} == {"Apache-2.0"}
        weights = {part.path: part.weights for part in found.parts if part.weights}
        assert weights == dict.fromkeys(("vision_encoder", "projector", "decoder"), "Apache-2.0")
        assert found.summary == "not stated: nothing; marked non-commercial: nothing"

    def test_of_a_spec_without_weights(self) -> None:
        assert {part.weights for part in plm.licenses("plm-1b").parts} == {None}

    def test_what_a_card_states_is_kept_when_it_is_saved(self, tmp_path: Path) -> None:
        trained = plm.assemble(tiny_spec(), init="random").save(tmp_path / "trained")
        lock = json.loads((trained / "plm.lock").read_text())
        for part in lock["parts"]:
            if part["path"] == "decoder":
                part["weights_license"] = "cc-by-nc-4.0"
        (trained / "plm.lock").write_text(json.dumps(lock))
        expected = (
            "not stated: weights of vision_encoder, weights of projector; "
            "marked non-commercial: weights of decoder (cc-by-nc-4.0)"
        )
        assert plm.licenses(trained).summary == expected
        assert plm.licenses(tiny_spec(weights=f"plm:{trained}")).summary == expected
        again = plm.load(trained).save(tmp_path / "again")
        assert plm.licenses(again).summary == expected

    def test_of_a_published_directory(self, tmp_path: Path) -> None:
        save_small(tmp_path / "hf")
        name = "fair-noncommercial-research-license"
        card = f"---\nlicense: other\nlicense_name: {name}\n---\n# PerceptionLM\n"
        (tmp_path / "hf" / "README.md").write_text(card)
        expected = ", ".join(
            f"weights of {slot} ({name})" for slot in ("vision_encoder", "projector", "decoder")
        )
        assert plm.licenses(tmp_path / "hf").summary == (
            f"not stated: nothing; marked non-commercial: {expected}"
        )
        saved = plm.load(tmp_path / "hf").save(tmp_path / "ours")
        assert locked(saved, "decoder")["weights_license"] == name
        origin = json.loads((saved / "plm.lock").read_text())["weights"]["origins"][0]
        weights = (tmp_path / "hf" / "model.safetensors").read_bytes()
        assert origin["sha256"] == sha256(weights).hexdigest()

    def test_a_card_beside_the_weights_of_a_part(self, tmp_path: Path) -> None:
        (tmp_path / "README.md").write_text("---\nlicense: llama3.2\n---\n")
        found = plm.licenses("plm-1b", [f"decoder.weights=hf:{tmp_path}"])
        assert {part.path: part.weights for part in found.parts if part.weights} == {
            "decoder": "llama3.2"
        }

    def test_a_plugin_that_is_not_installed_is_still_told(self, site: Site, saved: Path) -> None:
        withdraw(site, "plm_alpha")
        found = plm.licenses(saved)
        assert found.non_commercial == ("code of projector (CC-BY-NC-4.0)",)

    def test_a_lock_from_before(self, saved: Path) -> None:
        lock = json.loads((saved / "plm.lock").read_text())
        for part in lock["parts"]:
            for name in ("entry_point", "code_license", "weights_license"):
                del part[name]
        (saved / "plm.lock").write_text(json.dumps(lock))
        assert plm.load(saved, zoo=Zoo.discover()).differences == ()
        found = plm.licenses(saved)
        assert {part.code for part in found.parts} == {"not stated"}
        assert [part.path for part in found.parts if part.weights] == [
            "vision_encoder",
            "projector",
            "decoder",
        ]

    def test_a_directory_takes_no_overrides(self, saved: Path) -> None:
        with pytest.raises(UsageError, match="takes no overrides"):
            plm.licenses(saved, ["projector=linear"])

    def test_the_command(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["licenses", "plm-tiny"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].split() == ["slot", "part", "code", "weights"]
        assert lines[1].split() == [
            "vision_encoder", "vision_encoder/pe,", "plm-components", "0.1.0", "Apache-2.0",
            "Apache-2.0",
        ]  # fmt: skip
        assert lines[2].split()[-2:] == ["Apache-2.0", "-"]
        assert lines[-1] == "not stated: nothing; marked non-commercial: nothing"

    def test_the_command_for_a_program(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["licenses", "plm-1b", "weights=package:plm-tiny", "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert told == plm.licenses("plm-1b", ["weights=package:plm-tiny"]).to_dict()
        assert (told["not_stated"], told["non_commercial"]) == ([], [])


@pytest.mark.parametrize(
    ("name", "marked"),
    [
        ("CC-BY-NC-SA-4.0", True),
        ("fair-noncommercial-research-license", True),
        ("Free for non-commercial use", True),
        ("PolyForm-Noncommercial-1.0.0", True),
        ("NCSA", False),
        ("llama3.2", False),
        ("Apache-2.0", False),
    ],
)
def test_what_marks_itself_non_commercial(site: Site, name: str, marked: bool) -> None:
    publish(site, "plm_alpha", stated=f"License-Expression: {name}\n")
    found = plm.licenses(tiny_spec(projector={"type": "joint"}), zoo=Zoo.discover())
    assert bool(found.non_commercial) is marked


def test_the_shipped_lock_says_what_is_installed() -> None:
    from plm_components.checkpoints.origins import packaged_weights

    parts = json.loads((packaged_weights("plm-tiny") / "plm.lock").read_text())["parts"]
    assert all("entry_point" in part for part in parts)
    told = {part["path"]: (part["code_license"], part["weights_license"]) for part in parts}
    assert told == {part.path: (part.code, part.weights) for part in plm.licenses("plm-tiny").parts}
