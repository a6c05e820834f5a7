"""A model's own Jinja chat template, with contents that cannot break out of their place.

The template is rendered with marks in place of contents, and cut at the marks. What lies between
is the template's and may hold special tokens; the contents are put back as plain text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from plm_components.contracts.text import Role, Turn
from plm_components.errors import TokenizerError
from plm_components.tokenizers.templates import Segment, Special, refuse_late_system

# private-use letters: a template that trims, splits or searches leaves them alone
_MARK = "\ue000{}\ue001"
_MARKS = re.compile("\ue000([0-9]+)\ue001")


class JinjaTemplate:
    """Renders turns through a chat template.

    Args:
        source: The template.
        specials: Contents of every special token; each becomes ``Special(content)``.
        variables: What the template may name: ``bos_token``, ``eos_token``, …
    """

    def __init__(
        self, source: str, *, specials: Sequence[str], variables: Mapping[str, str]
    ) -> None:
        self._source = source
        self._variables = dict(variables)
        self._forms: dict[Role, Callable[[str], object]] = {}
        longest_first = sorted(specials, key=len, reverse=True)
        self._specials = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")

    def segments(
        self, turns: Sequence[Turn], *, generation_prompt: bool, system_prompt: str | None
    ) -> list[Segment]:
        """The conversation as segments.

        The assistant's are: the header that a generation prompt opens, the content, and what
        follows it up to its last special token.

        Args:
            turns: Messages in order.
            generation_prompt: End with the opening of an assistant turn.
            system_prompt: A system turn to put in front where there is none; None leaves it to
                the template.

        Raises:
            TokenizerError: the template refuses the conversation, or drops something of it.
        """
        refuse_late_system(turns)
        if system_prompt and not (turns and turns[0].role == "system"):
            turns = (Turn("system", (system_prompt,)), *turns)
        between = self._between(turns, generation_prompt)
        return list(self._woven(turns, between))

    def _woven(self, turns: Sequence[Turn], between: Sequence[str]) -> Iterator[Segment]:
        """Contents and the template's text in turn."""
        roles = [turn.role for turn in turns]
        for place, text in enumerate(between):
            after_answer = place > 0 and roles[place - 1] == "assistant"
            before_answer = place < len(turns) and roles[place] == "assistant"
            start = self._answer_tail(text) if after_answer else 0
            end = self._answer_header(text, start) if before_answer else len(text)
            yield from self._split(text[:start], is_response=True)
            yield from self._split(text[start:end], is_response=False)
            yield from self._split(text[end:], is_response=True)
            if place < len(turns):
                yield from self._content(turns[place])

    def _content(self, turn: Turn) -> Iterator[Segment]:
        parts = list(turn.parts)
        # what the template would have done to the outer ends of a string
        if self._trims and parts and isinstance(parts[0], str):
            parts[0] = parts[0].lstrip()
        if self._trims and parts and isinstance(parts[-1], str):
            parts[-1] = parts[-1].rstrip()
        for part in parts:
            yield Segment(part, is_response=turn.role == "assistant")

    def _split(self, text: str, *, is_response: bool) -> Iterator[Segment]:
        """The template's text, cut at its special tokens."""
        done = 0
        for match in self._specials.finditer(text):
            if match.start() > done:
                yield Segment(text[done : match.start()], is_response)
            yield Segment(Special(match.group()), is_response)
            done = match.end()
        if done < len(text):
            yield Segment(text[done:], is_response)

    def _answer_header(self, text: str, start: int) -> int:
        """Where in the text before an answer its header begins."""
        found = text.rfind(self._header, start) if self._header else -1
        return found if found >= 0 else len(text)

    def _answer_tail(self, text: str) -> int:
        """How much of the text behind an answer belongs to it."""
        tail = self._tail
        common = 0
        while common < min(len(tail), len(text)) and tail[common] == text[common]:
            common += 1
        ends = [match.end() for match in self._specials.finditer(tail[:common])]
        return ends[-1] if ends else 0

    @cached_property
    def _header(self) -> str:
        """What a generation prompt adds."""
        user = [Turn("user", ("",))]
        without, with_prompt = (self._between(user, prompt)[-1] for prompt in (False, True))
        return with_prompt.removeprefix(without) if with_prompt.startswith(without) else ""

    @cached_property
    def _tail(self) -> str:
        """What stands behind the last answer."""
        return self._between([Turn("user", ("",)), Turn("assistant", ("",))], False)[-1]

    @cached_property
    def _trims(self) -> bool:
        """Whether white space around a content is lost."""
        mark = f" {_MARK.format(0)} "
        messages = [{"role": "user", "content": self._form("user")(mark)}]
        return mark not in self._render(messages, False)

    def _form(self, role: Role) -> Callable[[str], object]:
        """How the template wants what this role says: a string, or a list of parts."""
        if role not in self._forms:
            self._forms[role] = self._find_form(role)
        return self._forms[role]

    def _find_form(self, role: Role) -> Callable[[str], object]:
        mark = _MARK.format(0)
        forms: tuple[Callable[[str], object], ...] = (str, _as_parts)
        for form in forms:
            said = {"role": role, "content": form(mark)}
            if mark in self._render(self._in_company(said), False):
                return form
        raise _refused(f"it leaves out what the {role} says")

    def _in_company(self, message: dict[str, Any]) -> list[dict[str, Any]]:
        """The message where its role may speak: a system before a user, an assistant behind."""
        if message["role"] == "user":
            return [message]
        user = {"role": "user", "content": self._form("user")("")}
        return [message, user] if message["role"] == "system" else [user, message]

    def _between(self, turns: Sequence[Turn], generation_prompt: bool) -> list[str]:
        """The template's text before, between and behind the contents."""
        marks = [_MARK.format(place) for place in range(len(turns))]
        messages = [
            {"role": turn.role, "content": self._form(turn.role)(mark)}
            for turn, mark in zip(turns, marks, strict=True)
        ]
        pieces = _MARKS.split(self._render(messages, generation_prompt))
        if pieces[1::2] != [str(place) for place in range(len(turns))]:
            raise _refused("it leaves out or moves what somebody says")
        return pieces[0::2]

    def _render(self, messages: Sequence[Mapping[str, Any]], generation_prompt: bool) -> str:
        # transformers takes half a second to import, and other templates do not need it
        from transformers.utils.chat_template_utils import render_jinja_template

        try:
            rendered = render_jinja_template(
                conversations=[list(messages)],
                chat_template=self._source,
                add_generation_prompt=generation_prompt,
                **self._variables,
            )
        # a template is a program: it raises what it likes
        except Exception as error:
            raise _refused(str(error)) from error
        texts = rendered[0] if isinstance(rendered, tuple) else rendered
        return texts if isinstance(texts, str) else str(texts[0])


def _as_parts(text: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": text}]


def _refused(why: str) -> TokenizerError:
    return TokenizerError(
        f"The chat template cannot render this conversation: {why}.",
        where="the tokenizer's chat template",
        expected="turns as the template wants them, often: user and assistant by turns, "
        "sometimes no system turn",
        fix="change the turns, or choose another layout: tokenizer.template=chatml",
    )
