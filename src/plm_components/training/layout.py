"""Questions about one medium as one row: the medium once, every turn blind to the others.

A row is ``prefix, turn, turn, …``: the prefix is everything before the question of a one-turn
conversation (beginning, user header, medium), a turn is everything behind it. Each turn is padded
to a length that all rows of a batch share, and its positions start anew behind the prefix, so the
model reads exactly what ``ask`` will show it, and a medium is encoded once for all its questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from plm_components.contracts import Documents, MediaKind, MediaSlot, Tokenizer, Turn
from plm_components.data import Question


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of one batch.

    Args:
        input_ids_BL: ``(B, L)`` int64.
        positions_BL: ``(B, L)`` int64.
        mask: Turns blind to one another behind the shared prefix.
        predicts_K: Flat places in ``(B * L)`` whose next token is the assistant's.
        targets_K: That token's id.
        turn_K: Which turn of the batch it belongs to.
        types: Type of each turn's question.
    """

    input_ids_BL: Tensor
    positions_BL: Tensor
    mask: Documents
    predicts_K: Tensor
    targets_K: Tensor
    turn_K: Tensor
    types: tuple[str, ...]


class _Asked(NamedTuple):
    ids: tuple[int, ...]
    learned: int
    type: str


def _length(turn: _Asked) -> int:
    return len(turn.ids)


class Layout:
    """Writes rows for one tokenizer.

    Args:
        tokenizer: Whose template is followed.
        kind: What the prefix shows.
        num_media_tokens: Places the medium takes.
    """

    def __init__(self, tokenizer: Tokenizer, kind: MediaKind, num_media_tokens: int) -> None:
        self._tokenizer = tokenizer
        self._slot = MediaSlot(kind, num_media_tokens, 0)
        empty = tokenizer.encode_conversation(
            (Turn("user", (self._slot,)),), generation_prompt=True
        )
        self.prefix = empty.input_ids[: empty.media_starts[0] + num_media_tokens]
        self._turn = lru_cache(maxsize=200_000)(self._encode_turn)

    def turn(self, question: str, answer: str) -> tuple[tuple[int, ...], int]:
        """Ids of one turn behind the prefix, and how many of its last ids to learn.

        What is learned is what generation must produce: the answer and what ends it, not the
        assistant's header, which stands in the prompt.
        """
        return self._turn(question, answer)

    def _encode_turn(self, question: str, answer: str) -> tuple[tuple[int, ...], int]:
        asked = Turn("user", (self._slot, question))
        said = Turn("assistant", (answer,))
        encode = self._tokenizer.encode_conversation
        prompt = encode((asked,), generation_prompt=True).input_ids
        whole = encode((asked, said), generation_prompt=False).input_ids
        # one end is enough: generation stops at the first
        last = whole.index(self._tokenizer.stop_ids[-1], len(prompt)) + 1
        return whole[len(self.prefix) : last], last - len(prompt)

    def rows(self, questions: Sequence[Sequence[Question]]) -> Rows:
        """One row a medium; every row has as many questions as the others."""
        turns = [
            sorted((_Asked(*self.turn(q.text, q.answer), q.type) for q in asked), key=_length)
            for asked in questions
        ]
        # the shortest turn of each row, the next, …: sorted, so that little is padded
        lengths = [max(map(_length, column)) for column in zip(*turns, strict=True)]
        starts = [len(self.prefix)]
        for length in lengths:
            starts.append(starts[-1] + length)
        return self._fill(turns, starts)

    def _fill(self, turns: Sequence[Sequence[_Asked]], starts: Sequence[int]) -> Rows:
        rows, length = len(turns), starts[-1]
        table = np.full((rows, length), self._tokenizer.pad_id)
        table[:, : starts[0]] = self.prefix
        predicts: list[int] = []
        targets: list[int] = []
        turn_of: list[int] = []
        types: list[str] = []
        for row, asked in enumerate(turns):
            for start, turn in zip(starts, asked, strict=False):
                end = start + len(turn.ids)
                table[row, start:end] = turn.ids
                last = row * length + end - 1
                predicts.extend(range(last - turn.learned, last))
                targets.extend(turn.ids[-turn.learned :])
                turn_of.extend([len(types)] * turn.learned)
                types.append(turn.type)
        return Rows(
            torch.from_numpy(table),
            self._positions(starts).expand(rows, -1),
            Documents(torch.tensor(starts), shared_prefix=starts[0]),
            torch.tensor(predicts),
            torch.tensor(targets),
            torch.tensor(turn_of),
            tuple(types),
        )

    def _positions(self, starts: Sequence[int]) -> Tensor:
        pieces = [torch.arange(starts[0])]
        for start, end in pairwise(starts):
            pieces.append(torch.arange(starts[0], starts[0] + end - start))
        return torch.cat(pieces)[None]
