"""UTF-8 bytes and a few special tokens, without a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from plm_components.contracts import EncodedConversation, Turn
from plm_components.tokenizers.templates import TEMPLATES, TemplateName, encode_segments

# every role that some template writes; ids 0, 1, 2 ... in this order, the bytes behind them
_SPECIAL = (
    "pad",
    "begin_of_text",
    "end_of_text",
    "image",
    "video",
    "start_header_id",
    "end_header_id",
    "eot_id",
    "im_start",
    "im_end",
)
_FIRST_BYTE = len(_SPECIAL)


class MyPart:
    """One id a byte.

    Characters that UTF-8 cannot hold become ``?``.

    Args:
        template: Layout of a conversation.
        system_prompt: In place of the template's own; an empty string for no system turn.

    Source:
        ByT5, arXiv 2105.13626.
    """

    __plm_kind__: ClassVar[str] = "tokenizer"

    special_ids: Mapping[str, int] = {role: number for number, role in enumerate(_SPECIAL)}
    vocab_size = _FIRST_BYTE + 256
    pad_id = special_ids["pad"]
    image_token_id = special_ids["image"]
    media_token_ids: Mapping[str, int] = {
        "image": special_ids["image"],
        "video": special_ids["video"],
    }

    def __init__(
        self, *, template: TemplateName = "plm_sft", system_prompt: str | None = None
    ) -> None:
        self._template, self._system_prompt = TEMPLATES[template], system_prompt
        self.stop_ids = tuple(self.special_ids[role] for role in self._template.stop_roles)

    @classmethod
    def files_at_hand(cls, **options: object) -> bool:
        """Always: there are no files."""
        return True

    def encode(self, text: str) -> list[int]:
        """Ids of plain text; never a special one."""
        return [_FIRST_BYTE + byte for byte in text.encode("utf-8", errors="replace")]

    def decode(self, ids: Sequence[int]) -> str:
        """Text of the ids; special tokens and ids outside the table are left out."""
        shown = [token - _FIRST_BYTE for token in ids if _FIRST_BYTE <= token < self.vocab_size]
        return bytes(shown).decode("utf-8", errors="replace")

    def encode_conversation(
        self, turns: Sequence[Turn], *, generation_prompt: bool
    ) -> EncodedConversation:
        """The conversation in the template, as ids."""
        segments = self._template.segments(
            turns, generation_prompt=generation_prompt, system_prompt=self._system_prompt
        )
        return encode_segments(
            segments,
            encode=lambda text, is_inner: self.encode(text),
            special_ids=self.special_ids,
            media_ids=self.media_token_ids,
        )
