"""From a spec to an answer, and from a saved directory back to the same answer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

import plm_components as plm
from plm_components.assembly import UnfitError
from plm_components.errors import (
    CheckpointError,
    ContractError,
    MediaError,
    PluginError,
    UnsupportedError,
    UsageError,
)
from plm_components.inference import generate
from small_specs import WORDS, ask, tiny_spec

WriteVideo = Callable[..., Path]
RED = Image.new("RGB", (120, 60), (200, 20, 20))
LLAMA = {
    "model_type": "llama", "vocab_size": 300, "hidden_size": 32, "num_hidden_layers": 1,
    "intermediate_size": 48, "num_attention_heads": 4, "num_key_value_heads": 2,
    "max_position_embeddings": 256, "tie_word_embeddings": True,
}  # fmt: skip


def tiny(seed: int = 0, overrides: list[str] | None = None, **options: Any) -> plm.Variant:
    spec = tiny_spec(**options.pop("slots", {}))
    return plm.assemble(spec, overrides=overrides or [], init="random", seed=seed, **options)


def logits_of(variant: plm.Variant) -> torch.Tensor:
    batch = variant.processor([{"role": "user", "content": [{"type": "image", "image": RED}]}])
    with torch.no_grad():
        pixels = batch.pixel_values
        logits: torch.Tensor = variant.model(batch.input_ids_BL, pixels)
    return logits


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny(seed=3).save(tmp_path_factory.mktemp("saved") / "tiny")


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    target = tmp_path / "copy"
    target.mkdir()
    for file in saved.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    return target


class TestAssemble:
    def test_one_seed_one_model(self) -> None:
        assert torch.equal(logits_of(tiny(seed=1)), logits_of(tiny(seed=1)))
        assert not torch.equal(logits_of(tiny(seed=1)), logits_of(tiny(seed=2)))

    def test_the_seed_of_the_process_does_not_matter_and_is_not_touched(self) -> None:
        torch.manual_seed(1)
        state = torch.get_rng_state()
        first = logits_of(tiny())
        assert torch.equal(state, torch.get_rng_state())
        torch.manual_seed(2)
        assert torch.equal(first, logits_of(tiny()))

    def test_nothing_is_left_unfilled(self) -> None:
        model = tiny().model
        tensors = [*model.named_parameters(), *model.named_buffers()]
        assert [name for name, t in tensors if not torch.isfinite(t.float()).all()] == []

    def test_the_receipt_says_that_nothing_was_learned(self) -> None:
        receipt = tiny(seed=7).receipt
        assert receipt.fresh_parts == ("vision_encoder", "projector", "decoder")
        assert str(receipt).splitlines()[1] == (
            "projector: 4 tensors, 2,112 elements, random, seed 7 (fresh: nothing learned)"
        )

    def test_the_model_is_ready_to_answer_and_to_be_trained(self) -> None:
        model = tiny().model
        assert not model.training
        assert all(parameter.requires_grad for parameter in model.parameters())

    def test_parts_that_shall_not_train(self) -> None:
        overrides = ["vision_encoder.trainable=false", "decoder.trainable=false"]
        overrides.append("decoder.block.trainable=true")
        model = tiny(overrides=overrides).model
        moving = {n.split(".")[0] for n, p in model.named_parameters() if p.requires_grad}
        assert moving == {"projector", "decoder"}
        assert not model.decoder.embed_tokens.weight.requires_grad
        assert model.decoder.layers[0].q_proj.weight.requires_grad

    def test_another_dtype(self) -> None:
        variant = tiny(dtype="bfloat16")
        assert {p.dtype for p in variant.model.parameters()} == {torch.bfloat16}
        assert isinstance(ask(variant, "what moves?", image=RED, max_new_tokens=2), str)

    def test_on_meta_it_has_shapes_and_no_memory(self) -> None:
        variant = plm.assemble("plm-1b", init="meta")
        assert sum(p.numel() for p in variant.model.parameters()) == 1_533_524_992
        assert all(p.is_meta for p in variant.model.parameters())

    def test_a_spec_without_weights_wants_init_said_aloud(self) -> None:
        with pytest.raises(UsageError) as caught:
            plm.assemble(tiny_spec())
        assert str(caught.value) == (
            "The spec names no weights.\n"
            "  where:    assemble, init\n"
            "  expected: init said aloud where weights is null\n"
            "  fix:      say init='random' (--init random) for fresh weights, init='meta' "
            "for shapes only, or name weights"
        )

    def test_init_and_weights_contradict(self, saved: Path) -> None:
        with pytest.raises(UsageError) as caught:
            plm.assemble(tiny_spec(weights=f"plm:{saved}"), init="random")
        assert caught.value.what == f"init='random' contradicts weights: plm:{saved}."
        assert caught.value.fix == "leave init out, or add the override weights=null"

    def test_an_unknown_init(self) -> None:
        with pytest.raises(UsageError, match="init='zeros' is none of ours"):
            plm.assemble(tiny_spec(), init="zeros")  # type: ignore[arg-type]

    def test_everything_that_does_not_fit_is_told_at_once(self) -> None:
        with pytest.raises(UnfitError) as caught:
            tiny(overrides=["projector.pool=3", "decoder.vocab_size=200"])
        assert str(caught.value) == (
            "2 things do not fit.\n"
            "  1. 16 tokens cannot be pooled 3x3.\n"
            "    where:    projector (projector/avg_pool_mlp, input of forward (grid 4x4))\n"
            "    expected: grid sides that divide by pool=3\n"
            "    fix:      set projector.pool=2\n"
            "  2. The decoder's table has 200 rows, too few for the tokenizer's vocab_size 276.\n"
            "    where:    tokenizer -> decoder.vocab_size\n"
            "    expected: at least 276 rows\n"
            "    fix:      set decoder.vocab_size=276"
        )
        assert caught.value.fix == "projector.pool=2 decoder.vocab_size=276"
        assert isinstance(caught.value, ContractError)

    def test_a_part_that_forgets_to_fill_a_tensor(self, tmp_path: Path) -> None:
        part = tmp_path / "forgetful.py"
        part.write_text(FORGETFUL)
        with pytest.raises(ContractError) as caught:
            tiny(slots={"projector": {"type": "forgetful"}}, plugins=[part])
        assert str(caught.value) == (
            "Tensors that neither init_weights nor init_buffers filled: projector.scale, "
            "projector.table.\n"
            "  where:    projector.scale\n"
            "  expected: every parameter and buffer filled\n"
            "  fix:      fill them in the part's init_weights, or init_buffers"
        )


FORGETFUL = """
import torch
from plm_components.projectors.linear import LinearProjector
from plm_components.zoo import Component

class Forgetful(LinearProjector):
    def __init__(self, in_dim: int, out_dim: int) -> None:
        super().__init__(in_dim, out_dim)
        self.scale = torch.nn.Parameter(torch.ones(out_dim))
        self.register_buffer("table", torch.arange(4.0), persistent=False)

    def init_weights(self, generator=None):
        torch.nn.init.zeros_(self.linear.weight) if hasattr(self, "linear") else None
        for name, parameter in self.named_parameters():
            if name != "scale":
                torch.nn.init.zeros_(parameter)

def plm_register_components():
    yield Component("projector", "forgetful", "forgetful:Forgetful")
"""


class TestAsk:
    def test_the_pieces_are_the_answer(self) -> None:
        variant = tiny(seed=5)
        whole = ask(variant, "what moves?", image=RED, max_new_tokens=12)
        pieces = list(ask(variant, "what moves?", image=RED, max_new_tokens=12, stream=True))
        assert "".join(pieces) == whole
        assert whole

    def test_the_answer_is_what_the_logits_say_step_by_step(self) -> None:
        variant = tiny(seed=5)
        tokenizer = variant.processor.tokenizer
        talk = [{"role": "user", "content": [image_part(), text_part("what moves?")]}]
        batch = variant.processor(talk)
        ids = batch.input_ids_BL
        said: list[int] = []
        for _ in range(6):
            with torch.no_grad():
                token = int(variant.model(ids, batch.pixel_values)[0, -1].argmax())
            if token in tokenizer.stop_ids:
                break
            said.append(token)
            ids = torch.cat([ids, torch.tensor([[token]])], dim=1)
        answer = ask(variant, "what moves?", image=RED, max_new_tokens=6)
        assert answer == tokenizer.decode(said)

    def test_a_picture_is_a_path_or_a_picture(self, tmp_path: Path) -> None:
        RED.save(tmp_path / "red.png")
        variant = tiny()
        answers = {
            ask(variant, "what?", image=RED, max_new_tokens=8),
            ask(variant, "what?", image=tmp_path / "red.png", max_new_tokens=8),
            ask(variant, "what?", image=str(tmp_path / "red.png"), max_new_tokens=8),
            ask(variant, "what?", images=[RED], max_new_tokens=8),
        }
        assert len(answers) == 1

    def test_a_video_several_images_and_words_alone(self, write_video: WriteVideo) -> None:
        variant = tiny()
        clip = write_video()
        for media in ({"video": clip}, {"video": clip, "start_s": 0.5, "end_s": 1.0},
                      {"images": [RED, RED]}, {}):  # fmt: skip
            assert isinstance(ask(variant, "what moves?", max_new_tokens=3, **media), str)

    @pytest.mark.parametrize("layout", ["reference", "hf"])
    def test_a_batch_of_prompts_is_each_prompt_alone(
        self, layout: str, write_video: WriteVideo
    ) -> None:
        """Other media in every row; the published code is right for one prompt at a time only."""
        variant = tiny(overrides=[f"processor.layout={layout}"])
        image, video = {"type": "image", "image": RED}, {"type": "video", "video": write_video()}
        text = {"type": "text", "text": "what moves?"}
        rows = [
            [{"role": "user", "content": content}]
            for content in ([text], [image, text], [text, image, image], [video, text])
        ]
        together = variant.processor(rows)
        whole = variant.model(
            together.input_ids_BL, together.pixel_values, together.attention_mask_BL
        )
        spoken = list(generate(variant.model, together, max_new_tokens=4, stop_ids=[], pad_id=0))
        for number, row in enumerate(rows):
            alone = variant.processor(row)
            logits = variant.model(alone.input_ids_BL, alone.pixel_values)[0]
            torch.testing.assert_close(whole[number, : len(logits)], logits, atol=1e-5, rtol=0)
            said = list(generate(variant.model, alone, max_new_tokens=4, stop_ids=[], pad_id=0))
            assert [int(ids[number]) for ids in spoken] == [int(ids[0]) for ids in said]

    def test_ask_is_chat_with_one_turn(self) -> None:
        variant = tiny()
        turns = [
            {"role": "system", "content": "the red circle"},
            {"role": "user", "content": [image_part(), text_part("what moves?")]},
        ]
        asked = ask(variant, "what moves?", image=RED, system="the red circle", max_new_tokens=8)
        assert variant.chat(turns, max_new_tokens=8, allow_untrained=True) == asked

    def test_sampling_repeats_with_its_seed(self) -> None:
        variant = tiny()

        def say(seed: int) -> str:
            return ask(variant, "what?", temperature=1.5, top_p=0.95, seed=seed, max_new_tokens=12)

        assert say(1) == say(1)
        assert len({say(seed) for seed in range(4)}) > 1

    def test_the_same_image_is_encoded_once_until_the_weights_change(self) -> None:
        variant = tiny()
        ask(variant, "what?", image=RED, max_new_tokens=1)
        ask(variant, "the red?", image=RED, max_new_tokens=1)
        assert variant.features.hits == 1
        before = ask(variant, "what moves?", image=RED, max_new_tokens=12)
        with torch.no_grad():
            # behind autograd's back, as trainers do
            variant.model.projector.linear_1.weight.data.normal_(std=3.0)
            variant.model.projector.linear_2.weight.data.normal_(std=3.0)
        fresh = ask(variant, "what moves?", image=RED, max_new_tokens=12)
        variant.features.clear()
        assert ask(variant, "what moves?", image=RED, max_new_tokens=12) == fresh != before

    @pytest.mark.parametrize("slots", [{}, {"decoder": {"type": "hf", "config": LLAMA}}])
    def test_inference_mode_changes_no_answer(self, slots: dict[str, Any]) -> None:
        variant, options = tiny(slots=slots), {"image": RED, "max_new_tokens": 6}
        expected, logits = ask(variant, "what moves?", **options), logits_of(variant)
        with torch.inference_mode():
            assert ask(variant, "what moves?", **options) == expected
            assert torch.equal(logits_of(variant), logits)
            stream = ask(variant, "what moves?", **options, stream=True)
        assert "".join(stream) == expected
        assert ask(variant, "what moves?", **options) == expected

    def test_a_variant_assembled_in_inference_mode_answers_and_forgets_old_features(self) -> None:
        with torch.inference_mode():
            variant = tiny()
            answer = ask(variant, "what moves?", image=RED, max_new_tokens=6)
            ask(variant, "what moves?", image=RED, max_new_tokens=6)
        assert answer == ask(tiny(), "what moves?", image=RED, max_new_tokens=6)
        assert variant.features.hits == 0

    def test_on_meta_there_is_nothing_to_ask(self) -> None:
        variant = plm.assemble(tiny_spec(), init="meta")
        with pytest.raises(UsageError) as caught:
            ask(variant, "what moves?")
        assert str(caught.value) == (
            "There are no weights to ask with: this variant was assembled on meta.\n"
            "  where:    init='meta'\n"
            "  expected: a variant with weights\n"
            "  fix:      assemble it with init='random', or from a spec that names weights"
        )

    def test_without_tokenizer_files_the_model_runs_and_asking_fails_clearly(
        self, tmp_path: Path
    ) -> None:
        slots = {"tokenizer": {"type": "hf", "path": str(tmp_path / "nothing")}}
        variant = tiny(slots=slots)
        assert variant.model(torch.tensor([[1, 2]])).shape == (1, 2, 300)
        with pytest.raises(plm.PlmError) as caught:
            ask(variant, "what moves?")
        assert caught.value.where.startswith("tokenizer (")

    def test_a_video_without_a_reader(self, write_video: WriteVideo) -> None:
        no_video = ["video_reader=null", "video_sampler=null", "frame_transform=null"]
        with pytest.raises(UnsupportedError):
            ask(tiny(overrides=no_video), "what moves?", video=write_video())

    @pytest.mark.parametrize(
        ("call", "what"),
        [
            (lambda v: ask(v, ""), "There is no question."),
            (lambda v: ask(v, "  \n"), "There is no question."),
            (lambda v: ask(v, 3), "There is no question."),
            (lambda v: ask(v, "what?", start_s=1.0), "start_s without a video."),
            (
                lambda v: ask(v, "what?", start_s=1.0, end_s=2.0),
                "start_s and end_s without a video.",
            ),
            (lambda v: ask(v, "what?", images="a.png"), "images is one picture."),
            (lambda v: v.export("x", format="gguf"), "'gguf' is no format that is exported to."),
        ],
    )
    def test_calls_that_make_no_sense(self, call: Any, what: str) -> None:
        with pytest.raises(plm.PlmError) as caught:
            call(tiny())
        assert caught.value.what == what

    def test_boxes_are_seen(self, write_video: WriteVideo) -> None:
        variant, clip = tiny(), write_video()
        plain = ask(variant, "who?", video=clip, stream=True)
        boxed = ask(variant, "who?", video=clip, boxes={0: [4, 4, 40, 40]}, stream=True)
        assert plain.media[0].content_hash != boxed.media[0].content_hash
        assert plain.media[0].timestamps == boxed.media[0].timestamps

    def test_boxes_that_are_not_seen_are_refused_before_an_answer(
        self, write_video: WriteVideo
    ) -> None:
        with pytest.raises(MediaError) as caught:
            ask(tiny(), "who?", video=write_video(), boxes={1: [4, 4, 40, 40]}, stream=True)
        assert caught.value.what == "No box is seen: frame 1 is not looked at."

    def test_a_streamed_call_that_makes_no_sense_fails_at_once(self) -> None:
        with pytest.raises(UsageError):
            ask(tiny(), "what?", max_new_tokens=0, stream=True)


class TestSaveAndLoad:
    def test_the_same_logits_bit_for_bit(self, saved: Path) -> None:
        assert torch.equal(logits_of(plm.load(saved)), logits_of(tiny(seed=3)))

    def test_the_same_answers(self, saved: Path) -> None:
        said = ask(tiny(seed=3), "what moves?", image=RED, max_new_tokens=12)
        assert ask(plm.load(saved), "what moves?", image=RED, max_new_tokens=12) == said

    def test_bfloat16_stays_bfloat16_and_may_be_widened(self, tmp_path: Path) -> None:
        variant = tiny(dtype="bfloat16")
        path = variant.save(tmp_path / "v")
        assert torch.equal(logits_of(plm.load(path)), logits_of(variant))
        wide = plm.load(path, dtype="float32").model
        assert {p.dtype for p in wide.parameters()} == {torch.float32}
        exact = dict(variant.model.named_parameters())
        assert all(torch.equal(p, exact[n].float()) for n, p in wide.named_parameters())

    def test_safetensors_reads_every_tensor_once(self, saved: Path) -> None:
        stored = load_file(saved / "model.safetensors")
        state = plm.load(saved).model.state_dict()
        assert stored.keys() == state.keys()
        assert all(torch.equal(stored[name], state[name]) for name in stored)

    def test_a_tied_transformers_decoder(self, tmp_path: Path) -> None:
        variant = tiny(slots={"decoder": {"type": "hf", "config": LLAMA}})
        path = variant.save(tmp_path / "v")
        stored = load_file(path / "model.safetensors")
        assert (
            sum(t.numel() for t in stored.values())
            == plm.check(tiny_spec(decoder={"type": "hf", "config": LLAMA})).totals.parameters
        )
        again = plm.load(path)
        model = again.model.decoder.model
        assert model.lm_head.weight is model.model.embed_tokens.weight
        assert torch.equal(logits_of(again), logits_of(variant))

    def test_the_receipt_remembers_that_nothing_was_learned(self, saved: Path) -> None:
        receipt = plm.load(saved).receipt
        assert receipt.fresh_parts == ("vision_encoder", "projector", "decoder")
        assert receipt.lines[0].via == f"plm:{saved}"

    def test_the_receipt_says_who_trained(self, saved: Path, tmp_path: Path) -> None:
        path = plm.load(saved).save(tmp_path / "v", trained_by="make train-tiny")
        receipt = plm.load(path).receipt
        assert receipt.fresh_parts == ()
        assert {line.origin for line in receipt.lines} == {"make train-tiny"}

    def test_a_saved_directory_is_a_spec_and_weights_of_one(self, saved: Path) -> None:
        assert sorted(file.name for file in saved.iterdir()) == [
            "model.safetensors", "plm.lock", "plm.yaml",
        ]  # fmt: skip
        from_spec = plm.assemble(saved / "plm.yaml")
        by_name = plm.assemble(tiny_spec(weights=f"plm:{saved}"))
        assert torch.equal(logits_of(from_spec), logits_of(by_name))

    def test_what_is_said_of_the_processor_is_kept(self, tmp_path: Path) -> None:
        variant = tiny(overrides=["processor.layout=hf", "processor.first_frame=1"])
        again = plm.load(variant.save(tmp_path / "hf"))
        said = {"layout": "hf", "first_frame": 1}
        assert again.processor.first_frame == 1
        assert again.processor.layout == variant.processor.layout == "hf"
        assert again.spec["processor"] == again.lock.processor == said
        assert again.differences == ()
        assert tiny().processor.layout == "reference"

    def test_it_may_move(self, copy: Path, saved: Path) -> None:
        moved = copy.rename(copy.with_name("moved"))
        assert torch.equal(logits_of(plm.load(moved)), logits_of(plm.load(saved)))

    def test_local_files_travel_with_it(self, tmp_path: Path) -> None:
        words = tmp_path / "words.txt"
        words.write_text("\n".join(WORDS))
        variant = tiny(slots={"tokenizer": {"type": "words", "words": str(words)}})
        path = variant.save(tmp_path / "v")
        answer = ask(variant, "what moves?", max_new_tokens=8)
        words.unlink()
        assert (path / "files" / "tokenizer" / "words.txt").is_file()
        moved = path.rename(tmp_path / "moved")
        again = plm.load(moved)
        assert ask(again, "what moves?", max_new_tokens=8) == answer
        assert again.differences == ()
        copied = again.save(tmp_path / "again")
        for directory in (moved, copied):
            # options name no place of the machine that wrote them
            parts = json.loads((directory / "plm.lock").read_text())["parts"]
            assert str(tmp_path) not in json.dumps(parts)
        once_more = plm.load(copied)
        assert once_more.differences == ()
        assert ask(once_more, "what moves?", max_new_tokens=8) == answer

    def test_a_published_tokenizer_travels_too(self, tmp_path: Path) -> None:
        (tmp_path / "tok").mkdir()
        (tmp_path / "tok" / "model.bin").write_bytes(b"not its business")
        byte_tokenizer().save(str(tmp_path / "tok" / "tokenizer.json"))
        slots = {"tokenizer": {"type": "hf", "path": str(tmp_path / "tok"), "template": "chatml"}}
        variant = tiny(slots=slots, overrides=["video_sampler.max_frames=1"])
        answer = ask(variant, "what moves?", image=RED, max_new_tokens=8)
        path = variant.save(tmp_path / "v")
        (tmp_path / "tok").rename(tmp_path / "gone")
        assert ask(plm.load(path), "what moves?", image=RED, max_new_tokens=8) == answer
        assert [f.name for f in (path / "files" / "tokenizer").iterdir()] == ["tokenizer.json"]

    def test_a_ranks_file_travels_too(self, tmp_path: Path) -> None:
        ranks = tmp_path / "tokenizer.model"
        ranks.write_bytes(b"".join(b64encode(bytes([n])) + b" %d\n" % n for n in range(256)))
        part = {"type": "tiktoken", "path": str(ranks), "system_prompt": ""}
        overrides = ["processor.layout=hf", "decoder.vocab_size=512"]
        variant = tiny(slots={"tokenizer": part}, overrides=overrides)
        # the image token, and the slot that transformers names <|video|>
        assert variant.model.media_token_ids == (258, 259)
        answer = ask(variant, "what moves?", image=RED, max_new_tokens=4)
        path = variant.save(tmp_path / "v")
        ranks.rename(tmp_path / "gone")
        assert ask(plm.load(path), "what moves?", image=RED, max_new_tokens=4) == answer
        assert [f.name for f in (path / "files" / "tokenizer").iterdir()] == ["tokenizer.model"]

    def test_configurations_in_local_directories_travel_too(self, tmp_path: Path) -> None:
        from transformers import CLIPVisionConfig, GPT2Config

        tower = CLIPVisionConfig(
            hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
            image_size=32, patch_size=8,
        )  # fmt: skip
        language = GPT2Config(vocab_size=300, n_embd=16, n_layer=1, n_head=2, n_positions=256)
        for name, config in (("tower", tower), ("language", language)):
            config.save_pretrained(tmp_path / name)
        slots = {
            "vision_encoder": {"type": "hf", "path": str(tmp_path / "tower")},
            "decoder": {"type": "hf", "path": str(tmp_path / "language")},
        }
        variant = tiny(slots=slots)
        path = variant.save(tmp_path / "v")
        for name in ("tower", "language"):
            (tmp_path / name).rename(tmp_path / f"gone-{name}")
        assert torch.equal(logits_of(plm.load(path)), logits_of(variant))
        assert (path / "files" / "decoder" / "config.json").is_file()

    def test_differences_from_the_lock_are_told(self, copy: Path) -> None:
        assert plm.load(copy).differences == ()
        text = (copy / "plm.lock").read_text().replace('"version": "0.1.0"', '"version": "0.0.1"')
        (copy / "plm.lock").write_text(text)
        differences = plm.load(copy).differences
        assert differences[0] == (
            "vision_encoder came from plm-components 0.0.1, comes from plm-components 0.1.0"
        )

    def test_weights_under_another_spec_of_the_same_shapes_are_told(self, saved: Path) -> None:
        spec = tiny_spec(weights=f"plm:{saved}")
        assert plm.assemble(spec).differences == ()
        other = plm.assemble(spec, overrides=["decoder.rope_theta=10000.0"])
        assert other.differences == ("decoder.rope_theta was 500000.0, is 10000.0",)

    def test_loading_maps_the_file_and_copies_nothing(self, tmp_path: Path) -> None:
        overrides = ["decoder.vocab_size=400000", "decoder.dim=64"]
        path = tiny(overrides=overrides).save(tmp_path / "big")
        size = (path / "model.safetensors").stat().st_size
        assert size > 100e6
        run = subprocess.run(
            [sys.executable, "-c", MEMORY, str(path)], capture_output=True, text=True, check=True
        )
        grown = json.loads(run.stdout)
        # private memory: what the process holds besides the pages of the file
        assert grown["anonymous"] < 0.5 * size
        assert grown["peak"] < 1.5 * size


MEMORY = """
import json, sys
import plm_components as plm
from plm_components import variant  # everything that is imported counts before

def status(key):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))

plm.check(sys.argv[1] + "/plm.yaml")
anonymous, peak = status("RssAnon"), status("VmHWM")
variant = plm.load(sys.argv[1], verify=False)
print(json.dumps({"anonymous": status("RssAnon") - anonymous, "peak": status("VmHWM") - peak}))
"""


class TestRefusedSaves:
    def test_a_variant_is_replaced_only_when_asked(self, copy: Path) -> None:
        variant = tiny(seed=9)
        with pytest.raises(UsageError) as caught:
            variant.save(copy)
        assert str(caught.value) == (
            "A variant is saved here already.\n"
            f"  where:    {copy}\n"
            "  expected: a new or empty directory\n"
            "  fix:      save(..., overwrite=True) replaces it, --overwrite on a command line"
        )
        variant.save(copy, overwrite=True)
        assert torch.equal(logits_of(plm.load(copy)), logits_of(variant))

    def test_other_things_are_never_replaced(self, tmp_path: Path) -> None:
        (tmp_path / "thesis.txt").write_text("years of work")
        with pytest.raises(UsageError, match="holds other things"):
            tiny().save(tmp_path, overwrite=True)
        with pytest.raises(UsageError, match="A file stands"):
            tiny().save(tmp_path / "thesis.txt", overwrite=True)
        assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]

    def test_a_variant_mapped_from_the_directory_it_replaces(self, copy: Path) -> None:
        variant = plm.load(copy)
        before = logits_of(variant)
        variant.save(copy, overwrite=True)
        assert torch.equal(logits_of(variant), before)
        assert torch.equal(logits_of(plm.load(copy)), before)

    def test_weights_that_are_not_finite(self, copy: Path) -> None:
        variant = plm.load(copy)
        with torch.no_grad():
            variant.model.projector.linear_1.bias[0] = float("nan")
        with pytest.raises(CheckpointError) as caught:
            variant.save(copy, overwrite=True)
        assert caught.value.what == "1 tensors hold NaN or infinity: projector.linear_1.bias."
        plm.load(copy)

    def test_on_meta_there_is_nothing_to_save(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="no weights to save with"):
            plm.assemble(tiny_spec(), init="meta").save(tmp_path / "v")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("there_before", [False, True])
    def test_a_disk_that_is_full(
        self, copy: Path, tmp_path: Path, there_before: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        target = copy if there_before else tmp_path / "new"
        before = {f.name: f.read_bytes() for f in target.iterdir()} if there_before else None
        variant = tiny(seed=8)

        def full(*_: object, **__: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("plm_components.checkpoints.tensor_files.save_file", full)
        with pytest.raises(CheckpointError) as caught:
            variant.save(target, overwrite=True)
        assert caught.value.what == (
            "The variant cannot be saved: [Errno 28] No space left on device."
        )
        after = {f.name: f.read_bytes() for f in target.iterdir()} if target.exists() else None
        assert after == before
        assert [f.name for f in tmp_path.iterdir() if "saving" in f.name] == []

    def test_saves_that_are_killed(self, copy: Path, saved: Path, tmp_path: Path) -> None:
        with subprocess.Popen(
            [sys.executable, "-c", SLOW_SAVE, str(saved), str(copy), str(tmp_path / "new")],
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            os.kill(process.pid, signal.SIGKILL)
        assert not (tmp_path / "new").exists()
        assert torch.equal(logits_of(plm.load(copy)), logits_of(plm.load(saved)))


SLOW_SAVE = """
import sys, threading, time
import plm_components as plm
from plm_components.checkpoints import VariantWriter

variant = plm.load(sys.argv[1])
write_texts = VariantWriter.texts
both = threading.Barrier(3)

def slowly(self, **texts):
    write_texts(self, **texts)
    both.wait()
    time.sleep(60)

VariantWriter.texts = slowly
for target in sys.argv[2:]:
    threading.Thread(target=variant.save, args=[target], kwargs={"overwrite": True}).start()
both.wait()
print("half way", flush=True)
"""


def edit_tensors(directory: Path, edit: Any) -> None:
    """Changes stored tensors and leaves the lock as if nothing had happened, hash included."""
    path = directory / "model.safetensors"
    tensors = load_file(path)
    edit(tensors)
    save_file(tensors, path, metadata={"format": "pt"})
    lock = json.loads((directory / "plm.lock").read_text())
    lock["weights"] = None
    (directory / "plm.lock").write_text(json.dumps(lock))


class TestBrokenDirectories:
    def test_none_at_all(self, tmp_path: Path) -> None:
        with pytest.raises(CheckpointError) as caught:
            plm.load(tmp_path / "nowhere")
        assert str(caught.value) == (
            "There is no such directory.\n"
            f"  where:    {tmp_path / 'nowhere'}\n"
            "  expected: a directory with plm.yaml and plm.lock (saved here), config.json (Hugging "
            "Face) or params.json (original)\n"
            "  fix:      check the path; a spec that ships is assembled: plm.assemble"
        )

    def test_a_file_and_a_directory_of_other_things(self, saved: Path, tmp_path: Path) -> None:
        with pytest.raises(CheckpointError) as of_file:
            plm.load(saved / "model.safetensors")
        (tmp_path / "model.safetensors").write_bytes(b"")
        with pytest.raises(CheckpointError) as of_others:
            plm.load(tmp_path)
        assert (of_file.value.what, of_file.value.fix) == (
            "This is no directory.",
            "name the directory that it lies in; a spec is assembled: plm.assemble",
        )
        assert str(of_others.value) == (
            "Nothing in this directory says what it holds.\n"
            f"  where:    {tmp_path}\n"
            "  expected: a directory with plm.yaml and plm.lock (saved here), config.json (Hugging "
            "Face) or params.json (original)\n"
            "  fix:      check the path, or copy the whole directory"
        )

    @pytest.mark.parametrize("name", ["plm.yaml", "plm.lock"])
    def test_a_file_is_missing(self, copy: Path, name: str) -> None:
        (copy / name).unlink()
        with pytest.raises(CheckpointError) as caught:
            plm.load(copy)
        assert str(caught.value) == (
            f"{name} missing: this is not a whole variant of ours.\n"
            f"  where:    {copy}\n"
            "  expected: plm.yaml, plm.lock and model.safetensors, as Variant.save writes them\n"
            "  fix:      save the variant again, or copy the whole directory"
        )

    def test_the_weights_are_missing(self, copy: Path) -> None:
        (copy / "model.safetensors").unlink()
        with pytest.raises(CheckpointError, match="There is no weights file"):
            plm.load(copy)

    def test_the_weights_are_truncated(self, copy: Path) -> None:
        path = copy / "model.safetensors"
        path.write_bytes(path.read_bytes()[:-100])
        with pytest.raises(CheckpointError, match="The weights file cannot be read") as caught:
            plm.load(copy)
        assert caught.value.where == str(path)

    def test_one_bit_differs(self, copy: Path) -> None:
        path = copy / "model.safetensors"
        data = bytearray(path.read_bytes())
        data[-50] ^= 1
        path.write_bytes(data)
        with pytest.raises(CheckpointError) as caught:
            plm.load(copy)
        assert caught.value.what == (
            "The weights are not those the lock beside them was written for."
        )
        assert caught.value.fix == "copy the whole directory again from where it came"

    def test_tensors_are_missing_unexpected_and_of_another_shape(self, copy: Path) -> None:
        def edit(tensors: dict[str, torch.Tensor]) -> None:
            for name in [name for name in tensors if name.startswith("projector.")]:
                del tensors[name]
            tensors["decoder.extra"] = torch.ones(1)
            tensors["decoder.norm.weight"] = torch.ones(31)

        edit_tensors(copy, edit)
        with pytest.raises(CheckpointError) as caught:
            plm.load(copy)
        assert str(caught.value) == (
            "The weights do not fit the spec (tensors missing: 4, unexpected: 1, "
            "of another shape: 1).\n"
            f"  where:    plm:{copy} ({copy / 'model.safetensors'})\n"
            f"  expected: {len(load_file(copy / 'model.safetensors')) + 3} tensors; with "
            "projector.linear_1.weight, projector.linear_1.bias, projector.linear_2.weight and 1 "
            "more; without decoder.extra; decoder.norm.weight 32, not 31\n"
            "  fix:      load them with the spec they were saved with, without overrides of the "
            "model's parts"
        )

    def test_weights_of_another_spec(self, saved: Path) -> None:
        spec = tiny_spec(weights=f"plm:{saved}")
        with pytest.raises(CheckpointError, match="The weights do not fit the spec"):
            plm.assemble(spec, overrides=["decoder.num_layers=3"])

    def test_weights_that_are_not_finite(self, copy: Path) -> None:
        def edit(tensors: dict[str, torch.Tensor]) -> None:
            tensors["projector.linear_1.bias"][0] = float("inf")

        edit_tensors(copy, edit)
        with pytest.raises(CheckpointError) as caught:
            plm.load(copy)
        assert str(caught.value) == (
            "1 tensors hold NaN or infinity: projector.linear_1.bias.\n"
            f"  where:    plm:{copy} ({copy / 'model.safetensors'})\n"
            "  expected: finite weights\n"
            "  fix:      take an earlier checkpoint: the run that wrote this one had diverged"
        )

    def test_a_lock_that_is_none(self, copy: Path) -> None:
        (copy / "plm.lock").write_text("[]")
        with pytest.raises(CheckpointError, match="The lock cannot be read"):
            plm.load(copy)

    def test_a_part_that_is_not_installed(self, copy: Path) -> None:
        lock = json.loads((copy / "plm.lock").read_text())
        for part in lock["parts"]:
            if part["path"] == "projector":
                part |= {"name": "gated_pool", "distribution": "plm-gated-pool", "version": "0.3.1"}
        (copy / "plm.lock").write_text(json.dumps(lock))
        with pytest.raises(PluginError) as caught:
            plm.load(copy)
        assert caught.value.fix == "pip install plm-gated-pool==0.3.1"


def byte_tokenizer() -> Tokenizer:
    """Every byte a token, and what the chatml template needs."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: n for n, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|im_start|>", "<|im_end|>", "<|image|>"])
    return tokenizer


def image_part() -> dict[str, Any]:
    return {"type": "image", "image": RED}


def text_part(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}
