"""What is registered and what is shipped keeps the rules."""

from importlib import import_module

import pytest

from plm_components.spec import load_spec, resolve, shipped_specs, signature_of
from plm_components.zoo import KINDS, default_zoo, list_components

OURS = [
    entry
    for entry in list_components()
    if entry.provider.distribution == "plm-components" and entry.status == "available"
]


@pytest.mark.parametrize("entry", OURS, ids=lambda entry: entry.address)
def test_every_component_of_ours_is_a_declaration(entry):
    # by its target, not by load(): it is as well declared where its device is missing
    module, _, name = entry.component.target.partition(":")
    signature = signature_of(getattr(import_module(module), name), entry.kind)
    assert signature.wired == KINDS[entry.kind].wired
    for slot in signature.slots.values():
        if slot.default is not None:
            assert default_zoo().get(slot.kind, slot.default)


@pytest.mark.parametrize("entry", OURS, ids=lambda entry: entry.address)
def test_a_component_has_one_spelling(entry):
    """``projector/avg_pool_mlp``, ``avg_pool_mlp.py``, ``AvgPoolMLPProjector``."""
    module, _, cls = entry.component.target.partition(":")
    assert module.rpartition(".")[2] == entry.name
    assert cls.lower().startswith(entry.name.replace("_", ""))


@pytest.mark.parametrize("name", shipped_specs())
def test_every_shipped_spec_resolves_and_reads_back(name):
    tree = resolve(name)
    assert tree.name == name
    assert load_spec(tree.data) == tree.data
    assert resolve(tree.data).data == tree.data


def test_what_is_shipped():
    assert set(shipped_specs()) >= {
        "plm-1b",
        "plm-3b",
        "plm-8b",
        "siglip2-shuffle-qwen3",
        "dinov2-resampler-smollm2",
    }


@pytest.mark.parametrize(
    ("name", "encoder", "sizes", "block", "scale", "tied"),
    [
        ("plm-1b", (1024, 23, 4096, True), (2048, 16), (32, 8, 8192), 32.0, True),
        ("plm-3b", (1024, 23, 4096, True), (3072, 28), (24, 8, 8192), 32.0, True),
        ("plm-8b", (1536, 47, 8960, False), (4096, 32), (32, 8, 14336), 1.0, False),
    ],
)
def test_the_published_sizes(name, encoder, sizes, block, scale, tied):
    """As the paper (arXiv 2504.13180) and its public configurations say."""
    spec = load_spec(name)
    decoder = spec["decoder"]
    tower = {"class_token": True, **spec["vision_encoder"]}
    assert (tower["type"], tower["num_heads"]) == ("pe", 16)
    assert tuple(tower[k] for k in ("dim", "num_layers", "ffn_dim", "class_token")) == encoder
    assert (decoder["dim"], decoder["num_layers"]) == sizes
    assert tuple(decoder["block"][k] for k in ("num_heads", "num_kv_heads", "ffn_dim")) == block
    assert (decoder["rope_scale_factor"], decoder["tie_embeddings"]) == (scale, tied)
    assert (decoder["vocab_size"], decoder["max_positions"]) == (128256, 11520)
