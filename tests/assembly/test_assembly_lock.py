"""The lock: what it records, what it says when something is missing or different."""

import json
from dataclasses import replace

import pytest

from plm_components.assembly import Lock, LockedWeights, compare, lock_of, require_installed
from plm_components.checkpoints import Receipt, ReceiptLine
from plm_components.errors import CheckpointError, PluginError
from plm_components.spec import load_spec, resolve
from plm_components.zoo import Zoo, default_zoo
from small_specs import tiny_spec


def tiny_lock(zoo: Zoo | None = None, **slots: object) -> Lock:
    return lock_of(resolve(load_spec(tiny_spec(**slots)), zoo))


def test_every_part_nested_ones_too_with_its_provider_and_all_options() -> None:
    lock = tiny_lock()
    by_path = {part.path: part for part in lock.parts}
    block = by_path["decoder.block"]
    assert (block.kind, block.name, block.contract) == ("decoder_block", "prenorm_gqa_swiglu", 1)
    assert block.provider == "plm-components 0.1.0"
    assert block.target.endswith("prenorm_gqa_swiglu:PrenormGQASwiGLUBlock")
    assert block.options["num_kv_heads"] == 2
    assert block.options["norm_eps"] == 1e-5  # a default, recorded all the same
    assert "decoder.block.attention" in by_path


def test_json_and_back() -> None:
    line = ReceiptLine("projector", "random, seed 0", 4, 2112, fresh=True)
    weights = LockedWeights("ab" * 32, 100, 4, "float32", Receipt((line,)))
    lock = tiny_lock().with_weights(weights)
    again = Lock.from_json(lock.to_json(), where="plm.lock")
    assert again.weights == weights
    assert again.to_json() == lock.to_json()
    assert compare(lock, again) == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"plm_lock": 1}', '{"plm_lock": 1, "parts": 3}'])
def test_what_is_no_lock(text: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        Lock.from_json(text, where="runs/a/plm.lock")
    assert caught.value.what.startswith("The lock cannot be read: ")
    assert caught.value.where == "runs/a/plm.lock"
    assert caught.value.expected == "the plm.lock that Variant.save wrote"


def test_a_lock_of_another_format() -> None:
    with pytest.raises(CheckpointError) as caught:
        Lock.from_json('{"plm_lock": 2}', where="plm.lock")
    assert str(caught.value) == (
        "The lock is of format 2.\n"
        "  where:    plm.lock\n"
        "  expected: format 1\n"
        "  fix:      use the version of plm-components that wrote it, or a newer one"
    )


def test_differences_in_words(fakes: Zoo) -> None:
    saved, now = tiny_lock(), tiny_lock(projector={"type": "avg_pool_mlp", "pool": 1})
    assert compare(saved, now) == ["projector.pool was 2, is 1"]
    other = tiny_lock(fakes, projector={"type": "stacked"})
    assert compare(saved, other) == [
        "projector.pooling is not in the spec any more",
        "projector was projector/avg_pool_mlp, is projector/stacked",
    ]
    assert compare(other, saved)[0] == "projector.pooling was not there"


def test_the_processors_options_are_locked() -> None:
    hf = tiny_lock(processor={"layout": "hf"})
    read = Lock.from_json(hf.to_json(), where="plm.lock")
    assert read.processor == {"layout": "hf", "first_frame": 0}
    assert compare(hf, tiny_lock()) == ["processor.layout was 'hf', is 'reference'"]


def test_a_lock_without_an_entry_of_the_processor_is_of_the_default() -> None:
    data = json.loads(tiny_lock().to_json())
    del data["processor"]
    assert compare(Lock.from_json(json.dumps(data), where="plm.lock"), tiny_lock()) == []


def test_differences_of_providers() -> None:
    lock = tiny_lock()
    first, *rest = lock.parts
    older = replace(lock, parts=(replace(first, version="0.0.9"), *rest))
    assert compare(older, lock) == [
        "vision_encoder came from plm-components 0.0.9, comes from plm-components 0.1.0"
    ]
    elsewhere = replace(lock, parts=(replace(first, distribution="plm-timm", contract=2), *rest))
    assert compare(elsewhere, lock) == [
        "vision_encoder came from plm-timm 0.1.0, comes from plm-components 0.1.0",
        "vision_encoder spoke contract 2, speaks 1",
    ]
    file = replace(lock, parts=(replace(first, sha256="ab" * 32), *rest))
    assert compare(file, lock) == [
        "vision_encoder came from plm-components 0.1.0 (abababababab), "
        "comes from plm-components 0.1.0"
    ]


def test_a_missing_plugin_names_what_to_install(fakes: Zoo) -> None:
    lock = tiny_lock(fakes, projector={"type": "stacked"})
    require_installed(lock, fakes)
    with pytest.raises(PluginError) as caught:
        require_installed(lock, default_zoo())
    assert str(caught.value) == (
        "Parts of this variant are not installed: projector: projector/stacked.\n"
        "  where:    projector\n"
        "  expected: plm-fakes 0.1.0\n"
        "  fix:      pip install plm-fakes==0.1.0"
    )


def test_a_missing_part_file_is_named_with_its_hash() -> None:
    lock = tiny_lock()
    part = replace(lock.parts[0], name="mine", distribution="./my_part.py", sha256="ab" * 32)
    with pytest.raises(PluginError) as caught:
        require_installed(replace(lock, parts=(part,)), default_zoo())
    assert caught.value.fix == (
        "offer the part file ./my_part.py (sha256 abababababab) as a plugin"
    )
