"""Conversation templates: turns to segments, and segments to ids.

A template names its special tokens by role (``begin_of_text``), never by id or spelling; a
tokenizer brings the ids. A segment is text, a special token or a medium, and text that stands
beside text is encoded in one piece, so no seam appears that the published models never saw.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from plm_components.contracts.text import PLM_SYSTEM_PROMPT as PLM_SYSTEM_PROMPT
from plm_components.contracts.text import EncodedConversation, MediaSlot, Turn
from plm_components.errors import TokenizerError

TemplateName: TypeAlias = Literal["plm_sft", "warmup", "chatml"]


@dataclass(frozen=True)
class Special:
    """A special token, by the role it plays in a template."""

    role: str


@dataclass(frozen=True)
class Segment:
    """One piece of a rendered conversation.

    Args:
        piece: Text, a special token, or the place of a medium.
        is_response: Whether a training loss counts it.
    """

    piece: str | Special | MediaSlot
    is_response: bool = False


@dataclass(frozen=True)
class Template:
    """How a conversation is laid out.

    Args:
        name: As a spec spells it.
        system_prompt: Said when a conversation brings no system turn; empty for none.
        special_roles: Special tokens it needs.
        stop_roles: Special tokens that end an answer.
        render: Turns (system turn included) and ``generation_prompt`` to segments.
    """

    name: TemplateName
    system_prompt: str
    special_roles: tuple[str, ...]
    stop_roles: tuple[str, ...]
    render: Callable[[Sequence[Turn], bool], Iterator[Segment]]

    def segments(
        self, turns: Sequence[Turn], *, generation_prompt: bool, system_prompt: str | None
    ) -> list[Segment]:
        """The conversation as segments.

        Args:
            turns: Messages in order.
            generation_prompt: End with the opening of an assistant turn.
            system_prompt: In place of the template's own; empty for none. A system turn wins
                over both.

        Raises:
            TokenizerError: a system turn that does not stand first.
        """
        refuse_late_system(turns)
        prompt = self.system_prompt if system_prompt is None else system_prompt
        if prompt and not (turns and turns[0].role == "system"):
            turns = (Turn("system", (prompt,)), *turns)
        return list(self.render(turns, generation_prompt))


def refuse_late_system(turns: Sequence[Turn]) -> None:
    """Raises TokenizerError for a system turn that does not stand first."""
    for place, turn in enumerate(turns):
        if turn.role == "system" and place > 0:
            raise TokenizerError(
                f"A system turn stands at place {place} of the conversation.",
                where=f"conversation[{place}]",
                expected="at most one system turn, at place 0",
                fix="move its text into the first turn or into a user turn",
            )


def _plm_header(role: str, is_response: bool) -> Iterator[Segment]:
    yield Segment(Special("start_header_id"), is_response)
    yield Segment(role, is_response)
    yield Segment(Special("end_header_id"), is_response)
    yield Segment("\n\n", is_response)


def _render_plm_sft(turns: Sequence[Turn], generation_prompt: bool) -> Iterator[Segment]:
    yield Segment(Special("begin_of_text"))
    for turn in turns:
        is_response = turn.role == "assistant"
        yield from _plm_header(turn.role, is_response)
        yield from (Segment(part, is_response) for part in turn.parts)
        yield Segment(Special("eot_id"), is_response)
    if generation_prompt:
        yield from _plm_header("assistant", is_response=False)
    elif turns and turns[-1].role == "assistant":
        yield Segment(Special("end_of_text"), is_response=True)


def _render_warmup(turns: Sequence[Turn], generation_prompt: bool) -> Iterator[Segment]:
    for turn in turns:
        if turn.role == "user":
            yield from (Segment(part) for part in turn.parts if isinstance(part, MediaSlot))
        elif turn.role == "assistant":
            yield from (Segment(part, is_response=True) for part in turn.parts)
            yield Segment("\n", is_response=True)


def _render_chatml(turns: Sequence[Turn], generation_prompt: bool) -> Iterator[Segment]:
    for turn in turns:
        is_response = turn.role == "assistant"
        yield Segment(Special("im_start"), is_response)
        yield Segment(f"{turn.role}\n", is_response)
        yield from (Segment(part, is_response) for part in turn.parts)
        yield Segment(Special("im_end"), is_response)
        yield Segment("\n")
    if generation_prompt:
        yield Segment(Special("im_start"))
        yield Segment("assistant\n")


_PLM_ROLES = ("begin_of_text", "end_of_text", "start_header_id", "end_header_id", "eot_id")

TEMPLATES: dict[str, Template] = {
    template.name: template
    for template in (
        Template(
            "plm_sft", PLM_SYSTEM_PROMPT, _PLM_ROLES, ("end_of_text", "eot_id"), _render_plm_sft
        ),
        Template("warmup", "", (), ("end_of_text",), _render_warmup),
        Template("chatml", "", ("im_start", "im_end"), ("im_end",), _render_chatml),
    )
}


@dataclass
class _Writer:
    """Ids so far, and the text that still waits for its neighbour."""

    encode: Callable[[str, bool], list[int]]
    special_ids: Mapping[str, int]
    media_ids: Mapping[str, int]
    input_ids: list[int] = field(default_factory=list)
    is_response: list[bool] = field(default_factory=list)
    media_starts: dict[int, int] = field(default_factory=dict)
    _text: str = ""
    _text_is_response: bool = False

    def write(self, segment: Segment) -> None:
        """Appends one segment; text is held back until something else follows."""
        if isinstance(segment.piece, str):
            if segment.is_response != self._text_is_response:
                self.flush()
            self._text += segment.piece
            self._text_is_response = segment.is_response
            return
        self.flush()
        if isinstance(segment.piece, Special):
            self._append([self.special_ids[segment.piece.role]], segment.is_response)
            return
        slot = segment.piece
        self.media_starts[slot.index] = len(self.input_ids)
        self._append([self.media_ids[slot.kind]] * slot.num_tokens, segment.is_response)

    def flush(self) -> None:
        """Encodes the text that waits."""
        if self._text:
            is_inner = bool(self.input_ids)
            self._append(self.encode(self._text, is_inner), self._text_is_response)
        self._text = ""

    def _append(self, ids: Sequence[int], is_response: bool) -> None:
        self.input_ids.extend(ids)
        self.is_response.extend([is_response] * len(ids))


def encode_segments(
    segments: Sequence[Segment],
    *,
    encode: Callable[[str, bool], list[int]],
    special_ids: Mapping[str, int],
    media_ids: Mapping[str, int],
) -> EncodedConversation:
    """Segments to ids, with the label mask and the place of each medium.

    Args:
        segments: A rendered conversation.
        encode: Plain text, and whether something stands before it, to ids.
        special_ids: Id of each special role.
        media_ids: Id written at the places of each kind of medium.
    """
    writer = _Writer(encode, special_ids, media_ids)
    for segment in segments:
        writer.write(segment)
    writer.flush()
    starts = tuple(writer.media_starts[index] for index in sorted(writer.media_starts))
    return EncodedConversation(tuple(writer.input_ids), tuple(writer.is_response), starts)
