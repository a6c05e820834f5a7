"""Every name and option is found or told, all faults together."""

import pickle
from typing import Annotated

import pytest
import spec_fakes as fakes
from hypothesis import given, settings
from hypothesis import strategies as st

from plm_components.errors import Fault, SpecError
from plm_components.spec import DefaultPart, dump_yaml, load_spec, resolve, resolve_part
from plm_components.spec.read import parse_yaml
from plm_components.zoo import Component, Provider


@pytest.fixture(scope="module")
def zoo():
    return fakes.fake_zoo()


def tree_of(zoo, *overrides):
    return resolve(load_spec(fakes.small_spec(), overrides), zoo)


def faults_of(zoo, *overrides):
    with pytest.raises(SpecError) as error:
        tree_of(zoo, *overrides)
    return error.value


def test_a_spec_becomes_parts(zoo):
    tree = tree_of(zoo, "projector.temperature=2", "decoder.trainable=false", "weights=plm:x")
    projector, decoder = tree.parts["projector"], tree.parts["decoder"]
    assert projector.cls is fakes.MLP
    assert projector.entry.address == "projector/mlp"
    assert projector.options == {
        "pool": 4,
        "temperature": 2.0,
        "bias": True,
        "activation": "gelu",
        "colour": fakes.Colour.RED,
        "scale": 1.0,
    }
    assert type(projector.options["temperature"]) is float
    assert projector.children["pooling"].path == "projector.pooling"
    block = decoder.children["block"]
    assert (block.repeated, block.path, block.kind) == (True, "decoder.block", "decoder_block")
    assert block.children["attention"].entry.name == "plain"
    assert (decoder.trainable, decoder.weights, tree.weights) == (False, None, "plm:x")
    assert tree.parts["image_tiler"] is None


def test_the_canonical_form_fills_in_default_parts_and_reads_back(zoo):
    tree = tree_of(zoo, "image_tiler=tiles", "projector.colour=BLUE", "projector.weights=plm:y")
    assert tree.data == {
        "plm": 1,
        "vision_encoder": {"type": "vit"},
        "projector": {
            "type": "mlp",
            "pool": 4,
            "colour": "BLUE",
            "pooling": {"type": "mean"},
            "weights": "plm:y",
        },
        "decoder": {
            "type": "llama",
            "dim": 8,
            "num_layers": 2,
            "block": {"type": "prenorm", "num_heads": 2, "attention": {"type": "plain"}},
        },
        "tokenizer": {"type": "words", "words": ["red", "square"]},
        "image_tiler": {"type": "tiles"},
    }
    assert load_spec(tree.data) == tree.data
    assert resolve(tree.data, zoo).data == tree.data


def test_options_are_written_as_they_were_and_built_as_they_should(zoo):
    encoder = tree_of(zoo, "vision_encoder={type: vit, mean: [0, 1, 0.5], path: a/b, sizes: [1]}")
    part = encoder.parts["vision_encoder"]
    assert part.options["mean"] == (0.0, 1.0, 0.5)
    assert part.options["sizes"] == (1,)
    assert part.options["path"].name == "b"
    assert encoder.data["vision_encoder"]["mean"] == [0, 1, 0.5]


def test_an_optional_slot_can_stay_empty(zoo):
    tree = tree_of(zoo, "projector.pooling=null")
    assert tree.parts["projector"].children == {}
    assert tree.parts["projector"].options["pooling"] is None
    assert tree.data["projector"]["pooling"] is None
    assert resolve(tree.data, zoo).parts["projector"].children == {}


def test_a_required_slot_takes_its_default_for_null(zoo):
    part = tree_of(zoo, "decoder.block.attention=null").parts["decoder"]
    assert part.children["block"].children["attention"].entry.name == "plain"


def test_a_default_part_can_take_options_without_its_name(zoo):
    assert tree_of(zoo, "projector.pooling={}").data["projector"]["pooling"] == {"type": "mean"}


def test_a_distribution_can_be_named(zoo):
    tree = tree_of(zoo, "projector.type=plm-fakes:linear")
    assert tree.parts["projector"].cls is fakes.Linear
    assert tree.data["projector"] == {"type": "plm-fakes:linear"}


FAULTS = [
    (
        "projector.pol=4",
        Fault(
            "projector/mlp has no option 'pol'.",
            "projector.pol",
            "one of: pool, temperature, bias, activation, colour, scale, pooling, "
            "type, weights, trainable",
            "did you mean pool or pooling?",
        ),
    ),
    (
        "projector.in_dim=4",
        Fault(
            "in_dim is derived from vision_encoder.",
            "projector.in_dim",
            "options of projector/mlp: pool, temperature, bias, activation, colour, scale, pooling",
            "delete the key in_dim",
        ),
    ),
    (
        "decoder.block.attention.head_dim=4",
        Fault(
            "head_dim is derived from the enclosing block.",
            "decoder.block.attention.head_dim",
            "options of attention/plain: none",
            "delete the key head_dim",
        ),
    ),
    (
        "projector.type=lnear",
        Fault(
            "No projector is named 'lnear'.",
            "projector.type",
            "one of: linear, mlp",
            "did you mean linear?",
        ),
    ),
    (
        "decoder.block.attention=flash",
        Fault(
            "No attention is named 'flash'.",
            "decoder.block.attention.type",
            "one of: fast, plain",
            "did you mean fast?",
        ),
    ),
    (
        "vision_encoder.type=conv",
        Fault(
            "vision_encoder/conv needs path.",
            "vision_encoder",
            "path: str",
            "add vision_encoder.path",
        ),
    ),
    (
        "decoder.block=null",
        Fault(
            "decoder.block is empty.",
            "decoder.block",
            "a decoder_block, one of: prenorm",
            "add decoder.block: {type: ...}",
        ),
    ),
    (
        "tokenizer=null",
        Fault(
            "tokenizer is empty.",
            "tokenizer",
            "a tokenizer, one of: words",
            "add tokenizer: {type: ...}",
        ),
    ),
    (
        "video_reader={}",
        Fault(
            "video_reader has no type.",
            "video_reader",
            "type: one of bare",
            "add video_reader.type",
        ),
    ),
    (
        "video_reader=3",
        Fault(
            "video_reader is the number 3, not a part.",
            "video_reader",
            "a name, or a mapping with type",
            "write video_reader: {type: ...}",
        ),
    ),
    (
        "video_reader.type=3",
        Fault(
            "video_reader.type is the number 3, not text.",
            "video_reader.type",
            "str",
            "quote it: '3'",
        ),
    ),
    (
        "projektor=linear",
        Fault(
            "A spec has no slot 'projektor'.",
            "projektor",
            "one of: plm, base, vision_encoder, projector, decoder, tokenizer, image_tiler, "
            "frame_transform, video_sampler, video_reader, processor, media_token_ids, weights",
            "did you mean projector or processor?",
        ),
    ),
    (
        "projector.pool='4'",
        Fault(
            "projector.pool is the text '4', not a whole number.",
            "projector.pool",
            "int",
            "write 4 without quotes",
        ),
    ),
    (
        "projector.pool=4.0",
        Fault(
            "projector.pool is the number 4.0, not a whole number.",
            "projector.pool",
            "int",
            "give a whole number",
        ),
    ),
    (
        "projector.pool=true",
        Fault(
            "projector.pool is true, not a whole number.",
            "projector.pool",
            "int",
            "give a whole number",
        ),
    ),
    (
        "projector.pool=null",
        Fault(
            "projector.pool is null, not a whole number.",
            "projector.pool",
            "int",
            "leave it out for the default, or give a value",
        ),
    ),
    (
        "projector.pool=12:30:00",
        Fault(
            "projector.pool is the text '12:30:00', not a whole number.",
            "projector.pool",
            "int",
            "give a whole number",
        ),
    ),
    (
        "projector.bias=off",
        Fault(
            "projector.bias is the text 'off', not true or false.",
            "projector.bias",
            "bool",
            "write false",
        ),
    ),
    (
        "projector.activation=gleu",
        Fault(
            "projector.activation is the text 'gleu', not 'gelu' or 'silu'.",
            "projector.activation",
            "'gelu' or 'silu'",
            "did you mean gelu?",
        ),
    ),
    (
        "projector.colour=GREEN",
        Fault(
            "projector.colour is the text 'GREEN', not 'RED' or 'BLUE'.",
            "projector.colour",
            "'RED' or 'BLUE'",
            "choose one of these",
        ),
    ),
    (
        "vision_encoder.model=14",
        Fault(
            "vision_encoder.model is the number 14, not text.",
            "vision_encoder.model",
            "str",
            "quote it: '14'",
        ),
    ),
    (
        "vision_encoder.mean=[0, 1]",
        Fault(
            "vision_encoder.mean is a list of 2, not tuple[float, float, float].",
            "vision_encoder.mean",
            "tuple[float, float, float]",
            "give tuple[float, float, float]",
        ),
    ),
    (
        "vision_encoder.mean=[0, 1, a]",
        Fault(
            "vision_encoder.mean[2] is the text 'a', not a number.",
            "vision_encoder.mean[2]",
            "float",
            "give a number",
        ),
    ),
    (
        "decoder.block.rates=[0.5, '1']",
        Fault(
            "decoder.block.rates[1] is the text '1', not a number.",
            "decoder.block.rates[1]",
            "float",
            "write 1 without quotes",
        ),
    ),
    (
        "projector.trainable=no",
        Fault(
            "projector.trainable is the text 'no', not bool | null.",
            "projector.trainable",
            "bool | null",
            "write false",
        ),
    ),
    (
        "weights=3",
        Fault("weights is the number 3, not str | null.", "weights", "str | null", "quote it: '3'"),
    ),
    (
        "video_sampler=gone",
        Fault(
            "The target of video_sampler/gone cannot be used: "
            "AttributeError: module 'spec_fakes' has no attribute 'Nowhere'.",
            "video_sampler.type (spec_fakes:Nowhere, from plm-fakes 1.0)",
            "a class that can be imported",
            "mend the target, or report it to plm-fakes",
        ),
    ),
    (
        "frame_transform=any",
        Fault(
            "No frame_transform is named 'any'.",
            "frame_transform.type",
            "a registered frame_transform",
            "choose one of these, or install the plugin that has it",
        ),
    ),
    (
        "processor=hf",
        Fault(
            "processor is the text 'hf', not a mapping.",
            "processor",
            "a mapping of: layout, first_frame",
            "write processor: {layout: ...}",
        ),
    ),
    (
        "processor.layuot=hf",
        Fault(
            "The processor has no option 'layuot'.",
            "processor.layuot",
            "one of: layout, first_frame",
            "did you mean layout?",
        ),
    ),
    (
        "processor.layout=referense",
        Fault(
            "processor.layout is the text 'referense', not 'reference' or 'hf'.",
            "processor.layout",
            "'reference' or 'hf'",
            "did you mean reference?",
        ),
    ),
    (
        "processor.first_frame=2",
        Fault(
            "processor.first_frame is the number 2, not 0 or 1.",
            "processor.first_frame",
            "0 or 1",
            "choose one of these",
        ),
    ),
    (
        "processor.layout=null",
        Fault(
            "processor.layout is null, not 'reference' or 'hf'.",
            "processor.layout",
            "'reference' or 'hf'",
            "choose one of these",
        ),
    ),
]


def test_the_processors_options_are_the_specs_or_their_defaults(zoo):
    tree = tree_of(zoo)
    assert tree.processor == {"layout": "reference", "first_frame": 0}
    assert "processor" not in tree.data
    tree = tree_of(zoo, "processor.layout=hf", "weights=plm:x")
    assert tree.processor == {"layout": "hf", "first_frame": 0}
    assert list(tree.data)[-2:] == ["processor", "weights"]
    assert resolve(tree.data, zoo).data == tree.data


@pytest.mark.parametrize(("override", "fault"), FAULTS, ids=[row[0] for row in FAULTS])
def test_one_fault_is_told_with_path_expectation_and_fix(zoo, override, fault):
    error = faults_of(zoo, override)
    assert error.faults == (fault,)
    assert str(error) == (
        f"{fault.what}\n"
        f"  where:    {fault.where}\n"
        f"  expected: {fault.expected}\n"
        f"  fix:      {fault.fix}"
    )


def test_all_faults_are_told_together(zoo):
    overrides = ["projector.pol=4", "projector.pool='4'", "decoder.block.attention=flash"]
    overrides += ["decoder.dim=x", "video_reader=bear", "weihgts=x", "projector.out_dim=2"]
    error = faults_of(zoo, *overrides)
    assert [fault.where for fault in error.faults] == [
        "weihgts",
        "projector.pol",
        "projector.out_dim",
        "projector.pool",
        "decoder.dim",
        "decoder.block.attention.type",
        "video_reader.type",
    ]


def test_the_whole_text_of_two_faults(zoo):
    with pytest.raises(SpecError) as error:
        resolve(
            load_spec(fakes.small_spec(), ["projector.pol=4", "decoder.dim=big"]), zoo, name="my"
        )
    assert str(error.value) == (
        "2 faults in my.\n"
        "  1. projector/mlp has no option 'pol'.\n"
        "    where:    projector.pol\n"
        "    expected: one of: pool, temperature, bias, activation, colour, scale, pooling, "
        "type, weights, trainable\n"
        "    fix:      did you mean pool or pooling?\n"
        "  2. decoder.dim is the text 'big', not a whole number.\n"
        "    where:    decoder.dim\n"
        "    expected: int\n"
        "    fix:      give a whole number"
    )


def test_an_error_survives_a_process_boundary_and_json(zoo):
    error = faults_of(zoo, "projector.pol=4", "decoder.dim=big")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.faults) == (str(error), error.faults)
    assert [fault["where"] for fault in error.to_dict()["faults"]] == [
        "projector.pol",
        "decoder.dim",
    ]
    assert isinstance(error, ValueError)


def test_two_providers_are_a_fault_that_says_how_to_choose():
    zoo = fakes.fake_zoo()
    other = Component("projector", "linear", "spec_fakes:MLP")
    zoo.add(other, provider=Provider("plm-other", "2.0"))
    error = faults_of(zoo, "projector=linear")
    assert error.where == "projector.type"
    assert "plm-fakes:linear or type: plm-other:linear" in error.fix
    assert tree_of(zoo, "projector=plm-other:linear").parts["projector"].cls is fakes.MLP


def test_a_constructor_that_breaks_its_contract_is_a_fault():
    zoo = fakes.fake_zoo()
    zoo.add(Component("projector", "wrong", "spec_fakes:Llama"))
    error = faults_of(zoo, "projector=wrong")
    assert error.what.startswith("Llama cannot be a component")
    assert error.where.startswith("projector.type (spec_fakes.Llama.__init__")


def test_a_part_that_nests_itself_ends():
    zoo = fakes.fake_zoo()
    zoo.add(Component("pooling", "endless", "test_spec_resolve:Endless"))
    error = faults_of(zoo, "projector.pooling=endless")
    assert error.what == "pooling/endless nests itself without end."


class Endless:
    def __init__(
        self, *, inner: "Annotated[fakes.PoolingLike, DefaultPart('endless')]"
    ) -> None: ...


def test_one_part_alone(zoo):
    part = resolve_part("decoder_block", {"type": "prenorm", "num_heads": 2}, zoo, path="block")
    assert (part.cls, part.path, part.children["attention"].path) == (
        fakes.Block,
        "block",
        "block.attention",
    )
    with pytest.raises(SpecError) as error:
        resolve_part("decoder_block", "prenorm", zoo, path="block")
    assert error.value.fix == "add block.num_heads"


def test_an_empty_spec_names_every_slot_it_needs(zoo):
    with pytest.raises(SpecError) as error:
        resolve({}, zoo)
    assert [fault.where for fault in error.value.faults] == [
        "vision_encoder",
        "projector",
        "decoder",
        "tokenizer",
    ]


projectors = st.fixed_dictionaries(
    {"type": st.just("mlp")},
    optional={
        "pool": st.integers(1, 9),
        "temperature": st.floats(0, 9) | st.integers(0, 9),
        "bias": st.booleans(),
        "activation": st.sampled_from(["gelu", "silu"]),
        "colour": st.sampled_from(["RED", "BLUE"]),
        "scale": st.sampled_from(["no", "1e-5", 1, 0.5]),
        "pooling": st.sampled_from([None, "mean", {"type": "mean"}]),
        "weights": st.sampled_from([None, "hf:org/name", "plm:~", "package:x"]),
        "trainable": st.none() | st.booleans(),
    },
)
configs = st.dictionaries(
    st.text("abc_1-. ", min_size=1, max_size=4),
    st.none()
    | st.booleans()
    | st.integers()
    | st.text("ab:1-'\n", max_size=5)
    | st.lists(st.floats(0, 1)),
    max_size=3,
)


@settings(database=None, deadline=None, max_examples=30)
@given(projectors, configs)
def test_a_canonical_spec_goes_through_yaml_unchanged(projector, config):
    spec = fakes.small_spec() | {"projector": projector}
    spec["vision_encoder"] = {"type": "vit", "config": config}
    zoo = fakes.fake_zoo()
    data = resolve(spec, zoo).data
    again = load_spec(parse_yaml(dump_yaml(data), "canonical"))
    assert again == data
    assert resolve(again, zoo).data == data


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text("a${}.x?", max_size=6),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["type", "pool", "block", "base", "weights", "x"]), inner)
    ),
    max_leaves=6,
)


@settings(database=None, deadline=None, max_examples=60)
@given(
    st.dictionaries(st.sampled_from(["projector", "decoder", "plm", "base", "weights", "q"]), junk)
)
def test_any_mapping_is_resolved_or_a_spec_error(spec):
    with pytest.raises(SpecError) as error:  # never complete: there is no tokenizer
        resolve(spec, fakes.fake_zoo())
    assert all(fault.what and fault.fix for fault in error.value.faults)
