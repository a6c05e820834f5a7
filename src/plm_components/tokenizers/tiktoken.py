"""PerceptionLM's own tokenizer file: the ``tokenizer.model`` of its original directories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from plm_components.contracts.text import EncodedConversation, PublishedVocabulary, Turn
from plm_components.tokenizers.byte_level import byte_level_json
from plm_components.tokenizers.plain_text import PlainTextTokenizer
from plm_components.tokenizers.templates import TEMPLATES, encode_segments
from plm_components.tokenizers.tiktoken_ranks import read_ranks
from plm_components.untrusted import expanded, is_file

# the vocabulary has the special tokens of these, and the file brings no template of its own
LlamaTemplate: TypeAlias = Literal["plm_sft", "warmup"]

_NAMED = {
    0: "<|begin_of_text|>",
    1: "<|end_of_text|>",
    # Llama 3's first reserved slot, taken by PerceptionLM
    2: "<|image|>",
    6: "<|start_header_id|>",
    7: "<|end_header_id|>",
    9: "<|eot_id|>",
}
_NUM_SPECIALS = 256


class TiktokenTokenizer:
    """A ranks file in tiktoken's format, and Llama 3's special tokens behind it.

    256 special tokens follow the ranks; with the published 128,000 ranks ``<|begin_of_text|>`` is
    128000, ``<|image|>`` 128002, ``<|eot_id|>`` 128009. Images and videos are both written as
    ``<|image|>``, as PerceptionLM's own code does; the slot behind it, which transformers names
    ``<|video|>``, stands for videos in layout ``hf`` of the processor. No text that is encoded
    becomes one of them.

    Args:
        path: The file, ``tokenizer.model``.
        template: Layout of a conversation.
        system_prompt: In place of the template's own; an empty string for no system turn.

    Raises:
        TokenizerError: a file that is missing or damaged.

    Source:
        PerceptionLM, arXiv 2504.13180; the special tokens of Llama 3.
    """

    def __init__(
        self,
        *,
        path: str,
        template: LlamaTemplate = "plm_sft",
        system_prompt: str | None = None,
    ) -> None:
        self._path = expanded(path)
        tokens = read_ranks(self._path)
        self._plain = PlainTextTokenizer(byte_level_json(tokens, special_tokens()))
        self._template = TEMPLATES[template]
        self._system_prompt = system_prompt
        self.vocab_size = len(tokens) + _NUM_SPECIALS
        self.special_ids: Mapping[str, int] = {
            name.strip("<|>"): len(tokens) + place for place, name in _NAMED.items()
        }
        self.image_token_id = self.special_ids["image"]
        self.media_token_ids: Mapping[str, int] = dict.fromkeys(
            ("image", "video"), self.image_token_id
        )
        self.video_token_id: int | None = self.image_token_id + 1
        self.stop_ids = tuple(self.special_ids[role] for role in self._template.stop_roles)
        self.pad_id = self.special_ids["end_of_text"]

    @classmethod
    def files_at_hand(cls, **options: object) -> bool:
        """Whether the file is here; it is never downloaded."""
        return is_file(_file(options))

    @classmethod
    def local_files(cls, **options: object) -> dict[str, list[Path]]:
        """The ranks file, if it is here."""
        file = _file(options)
        return {"path": [file]} if file.is_file() else {}

    def vocabulary(self) -> PublishedVocabulary:
        """As a ``tokenizer.json`` of the same ids; the ranks are read again, not held twice."""
        tokens = read_ranks(self._path)
        begin = self.special_ids["begin_of_text"]
        prompt = self._system_prompt
        return PublishedVocabulary(
            byte_level_json(tokens, special_tokens(), begin=begin),
            config={},
            chat_template=None,
            system_prompt=self._template.system_prompt if prompt is None else prompt,
        )

    def encode(self, text: str) -> list[int]:
        """Ids of plain text; never a special one."""
        return self._plain.encode(text)

    def decode(self, ids: Sequence[int]) -> str:
        """Text of the ids; special tokens and ids outside the table are left out."""
        return self._plain.decode([token for token in ids if 0 <= token < self.vocab_size])

    def encode_conversation(
        self, turns: Sequence[Turn], *, generation_prompt: bool
    ) -> EncodedConversation:
        """The conversation in the template, as ids."""
        segments = self._template.segments(
            turns, generation_prompt=generation_prompt, system_prompt=self._system_prompt
        )
        return encode_segments(
            segments,
            encode=lambda text, is_inner: self._plain.encode(text),
            special_ids=self.special_ids,
            media_ids=self.media_token_ids,
        )


def special_tokens() -> list[str]:
    """The 256 special tokens in the order of their ids."""
    unnamed = [place for place in range(_NUM_SPECIALS) if place not in _NAMED]
    # PerceptionLM's image token stands where reserved token 0 was, so these begin at 1
    reserved = {
        place: f"<|reserved_special_token_{n}|>" for n, place in enumerate(unnamed, start=1)
    }
    return [(_NAMED | reserved)[place] for place in range(_NUM_SPECIALS)]


def _file(options: Mapping[str, object]) -> Path:
    return expanded(str(options.get("path", "")))
