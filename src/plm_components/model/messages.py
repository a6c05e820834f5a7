"""Chat messages as a user writes them, checked and typed.

``[{"role": "user", "content": "text" | [{"type": "text", "text": …}, {"type": "image", "image": …},
{"type": "video", "video": …, "start_s": …, "end_s": …}]}, …]``; media stand where they are heard.
A video's ``boxes`` are drawn on its frames: ``{12: [x1, y1, x2, y2], …}``, see ``model/boxes.py``;
its ``clip_rule`` is ``"published"`` where times become frames as in PerceptionLM's own code.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeAlias, cast, get_args

from PIL import Image

from plm_components.contracts.text import Role
from plm_components.errors import MediaError, PlmError, TokenizerError
from plm_components.model.boxes import Box, parse_boxes

ImageSource: TypeAlias = Path | Image.Image


@dataclass(frozen=True)
class ImagePart:
    """An image within a message."""

    image: ImageSource


# how times become frames: see model/clips.py
ClipRule: TypeAlias = Literal["exact", "published"]


@dataclass(frozen=True)
class VideoPart:
    """A video, or a clip of one, within a message; times in seconds, boxes by frame of the file."""

    video: Path
    start_s: float | None = None
    end_s: float | None = None
    clip_rule: ClipRule = "exact"
    boxes: Mapping[int, Box] = field(default_factory=dict)


Part: TypeAlias = str | ImagePart | VideoPart


@dataclass(frozen=True)
class Message:
    """One turn: text and media in order."""

    role: Role
    parts: tuple[Part, ...]


_ROLES = get_args(Role)
_CONTENT_KEYS = {
    "text": (("text",), ()),
    "image": (("image",), ()),
    "video": (("video",), ("start_s", "end_s", "clip_rule", "boxes")),
}


def parse_conversation(conversation: object, where: str = "conversation") -> tuple[Message, ...]:
    """Chat messages, checked.

    Args:
        conversation: Messages as the module's head shows.
        where: What an error calls the conversation.

    Raises:
        TokenizerError: no message, an unknown role, content type or key, a key that is missing or
            of another type, or a medium outside a user turn.
        MediaError: an image, a video or a time that is none.
    """
    if not _is_list(conversation) or not conversation:
        what = "A conversation holds no message." if conversation == [] else _not_a(conversation)
        _refuse(what, where, "a list with at least one message", "pass [{'role': 'user', …}]")
    return tuple(
        _parse_message(message, f"{where}[{place}]")
        for place, message in enumerate(cast("Sequence[object]", conversation))
    )


def _parse_message(message: object, where: str) -> Message:
    fields = _fields(message, where, required=("role", "content"), optional=())
    role, content = fields["role"], fields["content"]
    if role not in _ROLES:
        expected = f"one of: {', '.join(_ROLES)}"
        _refuse(f"The role {role!r} is unknown.", f"{where}.role", expected, _suggest(role, _ROLES))
    if isinstance(content, str):
        return Message(role, (content,))
    if not _is_list(content):
        expected = "a string, or a list of parts such as {'type': 'text', 'text': …}"
        _refuse(_not_a(content), f"{where}.content", expected, "pass the message's text")
    places = enumerate(content)
    parts = tuple(_parse_part(part, role, f"{where}.content[{n}]") for n, part in places)
    return Message(role, parts)


def _parse_part(part: object, role: str, where: str) -> Part:
    if not isinstance(part, Mapping):
        _refuse(_not_a(part), where, "a mapping with a type", "write {'type': 'text', 'text': …}")
    kind = part.get("type")
    if kind not in _CONTENT_KEYS:
        what = "A part has no type." if kind is None else f"The content type {kind!r} is unknown."
        expected = f"one of: {', '.join(_CONTENT_KEYS)}"
        _refuse(what, f"{where}.type", expected, _suggest(kind, tuple(_CONTENT_KEYS)))
    required, optional = _CONTENT_KEYS[kind]
    fields = _fields(part, where, required=("type", *required), optional=optional)
    if kind == "text":
        return _text(fields["text"], f"{where}.text")
    if role != "user":
        what = f"{'An image' if kind == 'image' else 'A video'} stands in a turn of the {role}."
        _refuse(what, where, "media in user turns only", "move it into a user turn")
    if kind == "image":
        return ImagePart(_image_source(fields["image"], f"{where}.image"))
    start_s, end_s = (_seconds(fields.get(key), f"{where}.{key}") for key in ("start_s", "end_s"))
    rule = _clip_rule(fields.get("clip_rule", "exact"), f"{where}.clip_rule")
    boxes = parse_boxes(fields.get("boxes"), f"{where}.boxes")
    return VideoPart(_path(fields["video"], f"{where}.video"), start_s, end_s, rule, boxes)


def _fields(
    value: object, where: str, *, required: Sequence[str], optional: Sequence[str]
) -> Mapping[str, Any]:
    keys = (*required, *optional)
    if not isinstance(value, Mapping):
        _refuse(_not_a(value), where, f"a mapping with: {', '.join(required)}", "see expected")
    for key in required:
        if key not in value:
            fix = f"add {key!r}"
            _refuse(f"The key {key!r} is missing.", where, f"the keys: {', '.join(keys)}", fix)
    for key in value:
        if key not in keys:
            expected = f"no keys but: {', '.join(keys)}"
            _refuse(f"The key {key!r} is unknown.", where, expected, _suggest(key, keys))
    return cast("Mapping[str, Any]", value)


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        _refuse(_not_a(value), where, "a string", "pass str(value) if that is what is meant")
    return value


def _path(value: object, where: str) -> Path:
    if not isinstance(value, str | Path):
        fix = "save it to a file and pass its path"
        _refuse(_not_a(value), where, "the path of a file", fix, MediaError)
    if "://" in str(value):
        what = f"{str(value)!r} is an address on a network."
        expected = "the path of a file on this machine"
        _refuse(what, where, expected, "download it first", MediaError)
    return Path(value).expanduser()


def _image_source(value: object, where: str) -> ImageSource:
    if isinstance(value, Image.Image):
        return value
    if not isinstance(value, str | Path):
        fix = "convert it: PIL.Image.fromarray(array)"
        _refuse(_not_a(value), where, "the path of a file, or a PIL image", fix, MediaError)
    return _path(value, where)


def _seconds(value: object, where: str) -> float | None:
    if value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(cast("float", value)) or cast("float", value) < 0:
        what = f"{value!r} is no time."
        expected = "seconds from the start of the file, 0 or more"
        _refuse(what, where, expected, "pass a number", MediaError)
    return float(cast("float", value))


def _clip_rule(value: object, where: str) -> ClipRule:
    if value not in get_args(ClipRule):
        expected = f"one of: {', '.join(get_args(ClipRule))}"
        fix = _suggest(value, get_args(ClipRule))
        raise MediaError(
            f"The clip rule {value!r} is unknown.", where=where, expected=expected, fix=fix
        )
    return cast("ClipRule", value)


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _not_a(value: object) -> str:
    return f"A value of type {type(value).__name__} cannot be read here."


def _suggest(word: object, known: Sequence[str]) -> str:
    close = get_close_matches(str(word), known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"use one of: {', '.join(known)}"


def _refuse(
    what: str, where: str, expected: str, fix: str, error: type[PlmError] = TokenizerError
) -> NoReturn:
    raise error(what, where=where, expected=expected, fix=fix)
