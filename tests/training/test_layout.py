"""Rows of several questions, against each question asked alone."""

import pytest
import torch

import plm_components as plm
from plm_components.contracts import Causal, Documents, MediaSlot, Turn
from plm_components.data import Question
from plm_components.data.records import write_image
from plm_components.data.scene import image_scene
from plm_components.kernels.attention.eager import EagerAttention
from plm_components.training.attention import TrainingAttention
from plm_components.training.batches import BatchMaker
from plm_components.training.layout import Layout

ASKED = [
    Question("where", "where is the star?", "top left"),
    Question("color", "What color is it", "red"),
    Question("caption", "describe the image.", "a red star and a blue square"),
]


@pytest.fixture(scope="module")
def variant():
    return plm.assemble("plm-tiny", overrides=["weights=null"], init="random", seed=1)


@pytest.fixture(scope="module")
def tokenizer(variant):
    return variant.processor.tokenizer


def test_prefix_and_turn_are_the_conversation(tokenizer):
    layout = Layout(tokenizer, "image", 16)
    for question in ASKED:
        turns = (
            Turn("user", (MediaSlot("image", 16, 0), question.text)),
            Turn("assistant", (question.answer,)),
        )
        whole = tokenizer.encode_conversation(turns, generation_prompt=False).input_ids
        ids, learned = layout.turn(question.text, question.answer)
        assert layout.prefix + ids == whole[: len(layout.prefix) + len(ids)]
        assert ids[-1] in tokenizer.stop_ids
        assert tokenizer.decode(ids[-learned:]) == question.answer


def test_the_prompt_is_what_ask_sends(variant, tokenizer, tmp_path):
    path = write_image(image_scene(1), tmp_path)
    content = [{"type": "image", "image": str(path)}, {"type": "text", "text": ASKED[0].text}]
    sent = variant.processor([{"role": "user", "content": content}]).input_ids_BL[0].tolist()
    layout = Layout(tokenizer, "image", 16)
    ids, learned = layout.turn(ASKED[0].text, ASKED[0].answer)
    assert [*layout.prefix, *ids[:-learned]] == sent


def test_pixels_are_what_ask_sees(variant, tokenizer):
    maker = BatchMaker(tokenizer, "image", 112, 4, 1)
    batch = maker.make([3])
    from PIL import Image

    picture = Image.fromarray(batch.tiles_TSS3[0].numpy())
    content = [{"type": "image", "image": picture}, {"type": "text", "text": "what is this?"}]
    seen = variant.processor([{"role": "user", "content": content}]).pixel_values
    torch.testing.assert_close(batch.pixels(torch.float32), seen, rtol=0, atol=1e-6)


def test_questions_in_one_row_are_blind_to_each_other(variant, tokenizer):
    model, layout = variant.model, Layout(tokenizer, "image", 16)
    features = model.encode(torch.randn(1, 3, 112, 112, generator=torch.Generator().manual_seed(0)))
    rows = layout.rows([ASKED])
    hidden = model.hidden(
        rows.input_ids_BL, features, mask=rows.mask, positions_BL=rows.positions_BL
    )
    together = model.decoder.logits(hidden.flatten(0, 1)[rows.predicts_K])
    order = sorted(ASKED, key=lambda q: len(layout.turn(q.text, q.answer)[0]))
    alone = []
    for question in order:
        ids, learned = layout.turn(question.text, question.answer)
        row = torch.tensor([[*layout.prefix, *ids]])
        logits = model(row, features=features)[0]
        alone.append(logits[-learned - 1 : -1])
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-4, atol=1e-4)
    assert rows.types == tuple(question.type for question in order)
    spoken = [rows.targets_K[rows.turn_K == n].tolist() for n in range(3)]
    assert [tokenizer.decode(ids) for ids in spoken] == [q.answer for q in order]


@pytest.mark.parametrize(
    "mask", [Causal(), Documents(torch.tensor([4, 7, 12]), shared_prefix=4)], ids=["causal", "rows"]
)
def test_training_attention_is_the_oracle(mask):
    torch.manual_seed(0)
    q, k, v = torch.randn(2, 4, 12, 8), torch.randn(2, 2, 12, 8), torch.randn(2, 2, 12, 8)
    oracle = EagerAttention(4, 2, 8)(q, k, v, mask)
    torch.testing.assert_close(TrainingAttention(4, 2)(q, k, v, mask), oracle)
