"""Conversations and media to the batch a model takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, TypeAlias

import torch
from torch import Tensor

from plm_components.contracts.batch import Batch, MediaSpan
from plm_components.contracts.media import (
    FrameTransform,
    ImageTiler,
    VideoReader,
    VideoSampler,
)
from plm_components.contracts.text import (
    EncodedConversation,
    FirstFrame,
    MediaLayout,
    MediaSlot,
    OwnVideoToken,
    Tokenizer,
    Turn,
)
from plm_components.errors import ContractError, TokenizerError
from plm_components.model.arrangement import arranged, refuse_unknown_layout
from plm_components.model.media_plans import MediaPlanner, PlannedMedium
from plm_components.model.messages import ImagePart, Message, parse_conversation

Conversation: TypeAlias = Sequence[Mapping[str, Any]]

NO_LABEL = -100


class Processor:
    """Chat messages with images and videos in them to ids and pixels; knows no spec.

    In the ``reference`` layout media stand where a message has them, and a conversation with
    several images gives each one tile, as the published models were trained; a single image gets
    all of the tiler's. The ``hf`` layout gives the ids of transformers' processor: a message's
    media stand before its text, which is trimmed, every image gets all tiles, and videos are
    written with the vocabulary's own video token where it has one.

    Args:
        tokenizer: Text to ids, and the conversation's template.
        tokens_per_tile: Positions a tile or a frame takes.
        mean: Of the encoder, per channel, for pixels in 0..1.
        std: Of the encoder.
        image_tiler: None where the variant takes no images.
        frame_transform: None, like the two below, where it takes no videos.
        video_sampler: Chooses frames.
        video_reader: Reads them.
        layout: Where media stand, how several images are tiled, and how videos are written.
        first_frame: Number of the first frame that is looked at, in this model's answers: 0 as the
            published models were trained, or 1.

    Raises:
        UnsupportedError: another layout.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        tokens_per_tile: int,
        mean: Sequence[float],
        std: Sequence[float],
        image_tiler: ImageTiler | None = None,
        frame_transform: FrameTransform | None = None,
        video_sampler: VideoSampler | None = None,
        video_reader: VideoReader | None = None,
        layout: MediaLayout = "reference",
        first_frame: FirstFrame = 0,
    ) -> None:
        refuse_unknown_layout(layout)
        self.tokenizer = tokenizer
        self.tokens_per_tile = tokens_per_tile
        self.layout = layout
        self.first_frame = first_frame
        self.planner = MediaPlanner(image_tiler, frame_transform, video_sampler, video_reader)
        self._mean_311 = torch.tensor(mean, dtype=torch.float32)[:, None, None]
        self._std_311 = torch.tensor(std, dtype=torch.float32)[:, None, None]

    def __call__(
        self,
        conversations: Conversation | Sequence[Conversation],
        *,
        generation_prompt: bool = True,
        max_length: int | None = None,
    ) -> Batch:
        """One row a conversation, right-padded.

        Args:
            conversations: One conversation, or a list of them.
            generation_prompt: End each row with the opening of an answer. If False, the batch is
                for training: it has labels, and what follows the last answer is left out.
            max_length: The most positions a row may take. In training, whole messages are left
                out from the end until the rest fits; a prompt that does not fit is refused.

        Raises:
            TokenizerError: messages that are malformed, too long, or without anything to learn.
            MediaError: an image or a video that cannot be read.
            UnsupportedError: a medium this variant has no part for.
        """
        listed, wheres = _as_list(conversations)
        planned = [
            self._plan_row(parse_conversation(conversation, where), where)
            for conversation, where in zip(listed, wheres, strict=True)
        ]
        rows = [
            self._named(row.fitted(self.tokenizer, generation_prompt, max_length, where))
            for row, where in zip(planned, wheres, strict=True)
        ]
        pixel_values, media = self._read(rows)
        encoded = [row.encoded for row in rows]
        return Batch(
            input_ids_BL=_padded([row.input_ids for row in encoded], self.tokenizer.pad_id),
            attention_mask_BL=_padded([[1] * len(row.input_ids) for row in encoded], 0),
            pixel_values=pixel_values,
            media=media,
            labels_BL=None if generation_prompt else _labels(encoded),
        )

    def _plan_row(self, messages: Sequence[Message], where: str) -> _PlannedRow:
        images = sum(isinstance(part, ImagePart) for turn in messages for part in turn.parts)
        one_tile = images > 1 and self.layout == "reference"
        media: list[PlannedMedium] = []
        turns: list[Turn] = []
        for n, message in enumerate(messages):
            parts: list[str | MediaSlot] = []
            for k, part in arranged(message.parts, self.layout):
                if isinstance(part, str):
                    parts.append(part)
                    continue
                at = f"{where}[{n}].content[{k}]"
                medium = self.planner.plan(part, at, one_tile=one_tile)
                num_tokens = medium.num_tiles * self.tokens_per_tile
                parts.append(MediaSlot(medium.kind, num_tokens, len(media)))
                media.append(medium)
            turns.append(Turn(message.role, tuple(parts)))
        return _PlannedRow(tuple(turns), tuple(media))

    def _named(self, row: _Row) -> _Row:
        """The row with the vocabulary's own video token where videos stand, in layout ``hf``."""
        if self.layout != "hf" or not isinstance(self.tokenizer, OwnVideoToken):
            return row
        token = self.tokenizer.video_token_id
        ids = list(row.encoded.input_ids)
        for medium, start in zip(row.media, row.encoded.media_starts, strict=True):
            if medium.kind == "video" and token is not None:
                count = medium.num_tiles * self.tokens_per_tile
                ids[start : start + count] = [token] * count
        return replace(row, encoded=replace(row.encoded, input_ids=tuple(ids)))

    def _read(self, rows: Sequence[_Row]) -> tuple[Tensor | None, tuple[MediaSpan, ...]]:
        tiles: list[Tensor] = []
        spans: list[MediaSpan] = []
        first_tile = 0
        for number, row in enumerate(rows):
            for medium, start in zip(row.media, row.encoded.media_starts, strict=True):
                tiles_T3SS = _read_tiles(medium)
                spans.append(
                    MediaSpan(
                        row=number,
                        start=start,
                        num_tokens=medium.num_tiles * self.tokens_per_tile,
                        first_tile=first_tile,
                        num_tiles=medium.num_tiles,
                        kind=medium.kind,
                        timestamps=medium.timestamps,
                        content_hash=sha256(tiles_T3SS.numpy().tobytes()).hexdigest(),
                        frame_indices=medium.frame_indices,
                    )
                )
                tiles.append(self._normalised(tiles_T3SS))
                first_tile += medium.num_tiles
        return (torch.cat(tiles) if tiles else None), tuple(spans)

    def _normalised(self, tiles_T3SS: Tensor) -> Tensor:
        return tiles_T3SS.float().div_(255).sub_(self._mean_311).div_(self._std_311)


@dataclass(frozen=True)
class _Row:
    encoded: EncodedConversation
    media: tuple[PlannedMedium, ...]


@dataclass(frozen=True)
class _PlannedRow:
    """Turns with the places of their media."""

    turns: tuple[Turn, ...]
    media: tuple[PlannedMedium, ...]

    def fitted(
        self, tokenizer: Tokenizer, generation_prompt: bool, max_length: int | None, where: str
    ) -> _Row:
        """The row as ids, cut at a message's end where it must be."""

        def encode(num_turns: int) -> EncodedConversation:
            turns = self.turns[:num_turns]
            return tokenizer.encode_conversation(turns, generation_prompt=generation_prompt)

        if generation_prompt:
            encoded = encode(len(self.turns))
            if max_length is not None and len(encoded.input_ids) > max_length:
                raise _too_long("The prompt", encoded, max_length, where)
        else:
            ends = [n + 1 for n, turn in enumerate(self.turns) if turn.role == "assistant"]
            if not ends:
                raise _nothing_to_learn(where)
            encoded = _longest_that_fits(encode, ends, max_length, where)
        if not encoded.input_ids:
            raise _nothing_at_all(where)
        return _Row(encoded, self.media[: len(encoded.media_starts)])


def _longest_that_fits(
    encode: Callable[[int], EncodedConversation],
    ends: Sequence[int],
    max_length: int | None,
    where: str,
) -> EncodedConversation:
    whole = encode(ends[-1])
    if max_length is None or len(whole.input_ids) <= max_length:
        return whole
    # lengths grow with the turns, so halve; the whole is known not to fit
    fits, low, high = None, 0, len(ends) - 1
    while low < high:
        middle = (low + high) // 2
        encoded = encode(ends[middle])
        if len(encoded.input_ids) <= max_length:
            fits, low = encoded, middle + 1
        else:
            high = middle
    if fits is None:
        raise _too_long("The first answer and what precedes it", encode(ends[0]), max_length, where)
    return fits


def _read_tiles(medium: PlannedMedium) -> Tensor:
    tiles_T3SS = medium.read()
    if len(tiles_T3SS) == medium.num_tiles and tiles_T3SS.dtype == torch.uint8:
        return tiles_T3SS.contiguous()
    raise ContractError(
        f"{medium.num_tiles} tiles were planned for a medium, and {len(tiles_T3SS)} of dtype "
        f"{tiles_T3SS.dtype} came.",
        where=f"the part that makes tiles of a {medium.kind}",
        expected=f"uint8 ({medium.num_tiles}, 3, S, S)",
        fix="mend the part: plan and call must agree",
    )


def _as_list(
    conversations: Conversation | Sequence[Conversation],
) -> tuple[list[Any], list[str]]:
    """Conversations, and what errors call them."""
    is_batch = isinstance(conversations, Sequence) and all(
        isinstance(one, Sequence) and not isinstance(one, str) for one in conversations
    )
    if not is_batch or not conversations:
        return [conversations], ["conversation"]
    return list(conversations), [f"conversations[{n}]" for n in range(len(conversations))]


def _padded(rows: Sequence[Sequence[int]], value: int) -> Tensor:
    longest = max(len(row) for row in rows)
    padded = [[*row, *[value] * (longest - len(row))] for row in rows]
    return torch.tensor(padded, dtype=torch.int64)


def _labels(rows: Sequence[EncodedConversation]) -> Tensor:
    labels = [
        [
            token if counts else NO_LABEL
            for token, counts in zip(row.input_ids, row.is_response, strict=True)
        ]
        for row in rows
    ]
    return _padded(labels, NO_LABEL)


def _too_long(what: str, encoded: EncodedConversation, limit: int, where: str) -> TokenizerError:
    return TokenizerError(
        f"{what} takes {len(encoded.input_ids)} positions, and at most {limit} are allowed.",
        where=where,
        expected=f"at most max_length={limit} positions",
        fix="use fewer tiles or frames (image_tiler.max_tiles, video_sampler.max_frames), or "
        "shorten the text",
    )


def _nothing_to_learn(where: str) -> TokenizerError:
    return TokenizerError(
        "A conversation for training has no answer.",
        where=where,
        expected="at least one assistant turn",
        fix="add the answer, or ask for a prompt with generation_prompt=True",
    )


def _nothing_at_all(where: str) -> TokenizerError:
    return TokenizerError(
        "The template leaves nothing of this conversation.",
        where=where,
        expected="at least one token; the warmup template keeps media and answers only",
        fix="add an image, or choose another tokenizer.template",
    )
