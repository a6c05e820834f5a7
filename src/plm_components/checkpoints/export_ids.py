"""The ids an exported directory names: places of media, where text begins and where it ends."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from plm_components.contracts import OwnVideoToken, PublishedVocabulary, Tokenizer

_BEGIN = "<|begin_of_text|>"


@dataclass(frozen=True)
class ExportIds:
    """Ids of special tokens.

    Args:
        image: Stands where an image does.
        video: Stands where a video does; transformers looks for each by its own id.
        stop: End an answer.
        pad: Fills rows up, where one does.
        begin: Opens a sequence, where one does.
    """

    image: int
    video: int
    stop: tuple[int, ...]
    pad: int | None
    begin: int | None


# of the published tokenizer: what a model without its tokenizer's files is taken to speak
PUBLISHED_IDS = ExportIds(
    image=128002, video=128003, stop=(128001, 128009), pad=128001, begin=128000
)


def export_ids(tokenizer: Tokenizer, vocabulary: PublishedVocabulary | None) -> ExportIds:
    """The ids of a tokenizer.

    Args:
        tokenizer: The variant's.
        vocabulary: Its files, where it has some.
    """
    names = {} if vocabulary is None else added_tokens(vocabulary)
    ids = {name: token for token, name in names.items()}
    image, video = tokenizer.image_token_id, tokenizer.media_token_ids["video"]
    own = tokenizer.video_token_id if isinstance(tokenizer, OwnVideoToken) else None
    if video == image and own is not None:
        # one id for both is PerceptionLM's own habit
        video = own
    return ExportIds(image, video, tokenizer.stop_ids, tokenizer.pad_id, ids.get(_BEGIN))


def without_tokenizer(image: int, video: int, vocab_size: int) -> ExportIds:
    """The published ids, as far as a table has rows for them.

    Args:
        image: As the spec says it.
        video: The same.
        vocab_size: Rows of the table; transformers builds no padding row outside it.
    """

    def within(token: int | None) -> int | None:
        return token if token is not None and token < vocab_size else None

    stop = tuple(token for token in PUBLISHED_IDS.stop if token < vocab_size)
    pad, begin = within(PUBLISHED_IDS.pad), within(PUBLISHED_IDS.begin)
    return ExportIds(image, video, stop, pad, begin)


def added_tokens(vocabulary: PublishedVocabulary) -> dict[int, str]:
    """Added tokens of a ``tokenizer.json``, content by id."""
    data: dict[str, Any] = json.loads(vocabulary.tokenizer_json)
    return {token["id"]: token["content"] for token in data.get("added_tokens") or ()}
