"""What a tokenizer promises, and the shape of a conversation when it reaches one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, TypeAlias, runtime_checkable

from plm_components.spec.layout import FirstFrame as FirstFrame
from plm_components.spec.layout import MediaLayout as MediaLayout

Role: TypeAlias = Literal["system", "user", "assistant"]
MediaKind: TypeAlias = Literal["image", "video"]

# what a published PerceptionLM is told where a conversation brings no system turn
PLM_SYSTEM_PROMPT = (
    "You are a helpful language and vision assistant. You are able to understand the visual "
    "content that the user provides, and assist the user with a variety of tasks using natural "
    "language."
)


@dataclass(frozen=True)
class MediaSlot:
    """The place of one image or video within a turn.

    Args:
        kind: What stands here.
        num_tokens: Positions it takes, all of its tiles or frames together.
        index: Which medium of the conversation, in order of appearance.
    """

    kind: MediaKind
    num_tokens: int
    index: int


@dataclass(frozen=True)
class Turn:
    """One message: text and media in order."""

    role: Role
    parts: tuple[str | MediaSlot, ...]


@dataclass(frozen=True)
class EncodedConversation:
    """A conversation as ids.

    Args:
        input_ids: Token ids, media positions holding a media token id each.
        is_response: True where a token is the assistant's (header, answer, end of turn, end of
            text): what a training loss counts.
        media_starts: First position of each medium, by its index.
    """

    input_ids: tuple[int, ...]
    is_response: tuple[bool, ...]
    media_starts: tuple[int, ...]


@runtime_checkable
class Tokenizer(Protocol):
    """Text and conversations to ids and back; user text never becomes a special token."""

    __plm_kind__: ClassVar[str] = "tokenizer"

    # one more than the largest id it can produce
    vocab_size: int
    image_token_id: int
    # ids the model accepts at media positions, by kind; both may be the same id
    media_token_ids: Mapping[str, int]
    stop_ids: tuple[int, ...]
    pad_id: int

    @classmethod
    def files_at_hand(cls, **options: object) -> bool:
        """Whether building it with these options needs no download; never touches a network."""
        ...

    def encode(self, text: str) -> list[int]:
        """Plain text; no special token comes out, whatever the text says."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Text of the ids, special tokens left out."""
        ...

    def encode_conversation(
        self, turns: Sequence[Turn], *, generation_prompt: bool
    ) -> EncodedConversation:
        """The whole conversation in the tokenizer's template, encoded turn by turn.

        Args:
            turns: Messages in order; a system turn may stand first.
            generation_prompt: End with the opening of an assistant turn.
        """
        ...


@runtime_checkable
class OwnVideoToken(Protocol):
    """A tokenizer whose vocabulary has a token for videos that its templates do not write.

    Optional. Layout ``hf`` of a processor writes it, as transformers does.
    """

    video_token_id: int | None


def ids_of_media(tokenizer: Tokenizer) -> set[int]:
    """Every id that may stand where features go."""
    ids = set(tokenizer.media_token_ids.values())
    if isinstance(tokenizer, OwnVideoToken) and tokenizer.video_token_id is not None:
        ids.add(tokenizer.video_token_id)
    return ids


@dataclass(frozen=True)
class PublishedVocabulary:
    """A tokenizer as transformers' files hold it.

    Args:
        tokenizer_json: Text of ``tokenizer.json``; the same ids for the same text.
        config: ``tokenizer_config.json`` as it was published; empty where there is none.
        chat_template: Its own Jinja template, or None.
        system_prompt: What its layout says where a conversation brings no system turn.
    """

    tokenizer_json: str
    config: Mapping[str, Any]
    chat_template: str | None
    system_prompt: str


@runtime_checkable
class HasVocabulary(Protocol):
    """A tokenizer that a ``tokenizer.json`` can express; optional.

    One that is none exports without tokenizer files.
    """

    def vocabulary(self) -> PublishedVocabulary:
        """Its files."""
        ...
