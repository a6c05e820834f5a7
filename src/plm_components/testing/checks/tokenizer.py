"""What tokenizers promise: text that stays text, media in place, and a mask of what is answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from plm_components.contracts import EncodedConversation, MediaSlot, Turn
from plm_components.testing.outcome import expect
from plm_components.testing.roster import check
from plm_components.testing.subject import Subject

_TEXTS = (
    "what moves left?",
    "a red circle, then 42 blue squares.",
    "two  spaces\nand a line\n\nand another",
    "größer als ∞ – 形 🙂",
    " leading and trailing ",
)
# how special tokens are spelt by tokenizers people use
_SPELLINGS = (
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|image|>",
    "<|video|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
    "<|reserved_special_token_0|>",
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|image_pad|>",
    "<image>",
    "<video>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<s>",
    "</s>",
    "<pad>",
    "<unk>",
    "<bos>",
    "<eos>",
    "[CLS]",
    "[SEP]",
    "[PAD]",
)
_QUESTION, _ANSWER = "which shape moves upward?", "the purple hexagon."
_QUESTION_2, _ANSWER_2 = "how many corners?", "exactly six of them."


@check("tokenizer")
def round_trip(subject: Subject) -> None:
    """Decoding what was encoded gives the text, letter case aside."""
    part = subject.build()
    for text in (*_TEXTS, ""):
        got = part.decode(part.encode(text))
        expect(got.casefold() == text.casefold(), f"{text!r} comes back as {got!r}")


@check("tokenizer")
def ids_in_table(subject: Subject) -> None:
    """Every id is in 0..vocab_size - 1, and the special ids are declared."""
    part = subject.build()
    ids = [*_whole(part).input_ids, *(n for text in _TEXTS for n in part.encode(text))]
    expect(
        min(ids) >= 0 and max(ids) < part.vocab_size, f"{max(ids)} in a table of {part.vocab_size}"
    )
    expect(bool(part.stop_ids), "stop_ids is empty: no answer would ever end")
    kinds = set(part.media_token_ids)
    expect(kinds == {"image", "video"}, f"media_token_ids names {sorted(kinds)}")
    same = part.media_token_ids["image"] == part.image_token_id
    expect(same, f"image_token_id {part.image_token_id} is not media_token_ids['image']")


@check("tokenizer")
def text_stays_text(subject: Subject) -> None:
    """Text that spells a special token never becomes one, alone or in a conversation."""
    part = subject.build()
    special = _special_ids(part)
    for spelling in _SPELLINGS:
        text = f"what is {spelling} here"
        made = sorted(special & set(part.encode(text)))
        expect(not made, f"{text!r} encodes to the special ids {made}")
    benign = _whole(part, "what is it here")
    hostile = _whole(part, f"what is {' '.join(_SPELLINGS)} here")
    want, got = _count(benign.input_ids, special), _count(hostile.input_ids, special)
    expect(got == want, f"a conversation about special tokens holds {got}, one without {want}")
    shown = part.decode(part.encode(_SPELLINGS[2]))
    expect(shown == _SPELLINGS[2], f"the text {_SPELLINGS[2]!r} comes back as {shown!r}")


@check("tokenizer")
def specials_not_shown(subject: Subject) -> None:
    """Special tokens are left out of what decode says."""
    part = subject.build()
    ids = part.encode(_TEXTS[0])
    fenced = [part.image_token_id, *ids, *part.stop_ids, part.pad_id]
    expect(
        part.decode(fenced) == part.decode(ids), f"special tokens show in {part.decode(fenced)!r}"
    )


@check("tokenizer")
def mask_covers_answers(subject: Subject) -> None:
    """``is_response`` marks every answer and the stop behind it, and nothing that the user said."""
    part = subject.build()
    whole = _whole(part)
    expect(len(whole.is_response) == len(whole.input_ids), "is_response is not as long as the ids")
    marked = [
        n for n, is_response in zip(whole.input_ids, whole.is_response, strict=True) if is_response
    ]
    other = [
        n
        for n, is_response in zip(whole.input_ids, whole.is_response, strict=True)
        if not is_response
    ]
    said, asked = part.decode(marked).casefold(), part.decode(other).casefold()
    for answer in (_ANSWER, _ANSWER_2):
        expect(answer in said, f"the marked tokens read {said!r}: no {answer!r}")
        expect(answer not in asked, f"the answer {answer!r} stands among unmarked tokens")
    for question in (_QUESTION, _QUESTION_2):
        expect(question not in said, f"the question {question!r} is marked as a response")
    stops = _count(marked, set(part.stop_ids))
    expect(
        stops >= 2, f"two answers, but {stops} stop tokens are marked: it would never learn to end"
    )


@check("tokenizer")
def turns_extend(subject: Subject) -> None:
    """The prompt for an answer is how the conversation with the answer begins."""
    part = subject.build()
    turns = _turns()
    for asked in (1, 3):
        prompt = part.encode_conversation(turns[:asked], generation_prompt=True)
        longer = part.encode_conversation(turns[: asked + 1], generation_prompt=False)
        begins = longer.input_ids[: len(prompt.input_ids)] == prompt.input_ids
        seen = f"after {asked} turns the prompt is {prompt.input_ids}, the whole {longer.input_ids}"
        expect(begins, seen)
        answer = part.decode(longer.input_ids[len(prompt.input_ids) :]).casefold()
        # a template may end a turn with a line break; a word-piece may bring its space
        said = answer.rstrip().lstrip(" ")
        expect(said == (_ANSWER, _ANSWER_2)[asked // 2], f"behind the prompt follows {answer!r}")


@check("tokenizer")
def media_in_place(subject: Subject) -> None:
    """Each medium takes its number of media ids, where media_starts says, and nowhere else."""
    part = subject.build()
    slots = (MediaSlot("image", 3, 0), MediaSlot("video", 5, 1))
    turns = [
        Turn("user", ("look at", slots[0], "and", slots[1], _QUESTION)),
        Turn("assistant", (_ANSWER,)),
    ]
    whole = part.encode_conversation(turns, generation_prompt=False)
    expect(len(whole.media_starts) == 2, f"two media, media_starts {whole.media_starts}")
    for slot, start in zip(slots, whole.media_starts, strict=True):
        want = [part.media_token_ids[slot.kind]] * slot.num_tokens
        got = list(whole.input_ids[start : start + slot.num_tokens])
        expect(got == want, f"{slot.kind} at {start}: ids {got}, not {want}")
    media = set(part.media_token_ids.values())
    total = _count(whole.input_ids, media)
    expect(total == 8, f"8 media tokens asked, {total} found")
    marked = any(whole.is_response[start] for start in whole.media_starts)
    expect(not marked, "a medium of the user is marked as a response")


@check("tokenizer")
def files_at_hand_says(subject: Subject) -> None:
    """``files_at_hand`` is true for options it can be built with here."""
    subject.build()
    said = subject.cls.files_at_hand(**subject.case.options)
    expect(said is True, f"it was built, but files_at_hand says {said!r}")


def _turns(question: str = _QUESTION) -> list[Turn]:
    return [
        Turn("user", (question,)),
        Turn("assistant", (_ANSWER,)),
        Turn("user", (_QUESTION_2,)),
        Turn("assistant", (_ANSWER_2,)),
    ]


def _whole(part: Any, question: str = _QUESTION) -> EncodedConversation:
    encoded: EncodedConversation = part.encode_conversation(
        _turns(question), generation_prompt=False
    )
    return encoded


def _special_ids(part: Any) -> set[int]:
    """Those declared, and those a template writes: ids of a conversation that no text gives."""
    declared = {part.pad_id, part.image_token_id, *part.media_token_ids.values(), *part.stop_ids}
    return declared | {n for n in _whole(part).input_ids if not part.decode([n])}


def _count(ids: Sequence[int], among: set[int]) -> int:
    return sum(n in among for n in ids)
