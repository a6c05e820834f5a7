"""PerceptionLM's JSONL records to chat messages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from plm_components.errors import TokenizerError
from plm_components.model.boxes import parse_boxes
from plm_components.model.region_text import region_filler

_ROLES = {"human": "user", "assistant": "assistant"}
_PLACEHOLDER = re.compile(r"<(?:image|video)>\n|\n<(?:image|video)>|<(?:image|video)>")


def messages_from_record(
    record: Mapping[str, Any], *, root: Path | None = None, where: str = "record"
) -> list[dict[str, Any]]:
    """One line of a PerceptionLM annotation file as chat messages.

    One image (or a list of one) and a video stand before the first human text, and their
    placeholders are deleted from every human turn; several images replace the literal ``<image>``
    of human turns, in order. Without ``conversations``, ``text`` is a caption. Times become frames
    by the published rule, which swaps reversed ones. Regions of a picture are written into the
    text of every turn; those of a video are drawn on its frames.

    Args:
        record: ``conversations`` (``from`` human or assistant, ``value``) or ``text``, and
            ``image`` (path or list of paths) or ``video`` with ``start_time``, ``end_time`` and
            ``bbox_map`` (see ``model.boxes``). Beside an image, ``bbox`` (a list of
            ``[x, y, w, h]`` in pixels), ``width`` and ``height`` for ``<|bbox0|>``, ``<|bbox1|>``.
        root: Directory that relative paths start from.
        where: What errors call the record.

    Raises:
        TokenizerError: keys that are missing or malformed, another speaker than human first,
            another number of ``<image>`` than of images, a placeholder without its region, or
            regions without the medium they are of.
        MediaError: a ``bbox_map`` that is none.

    Source:
        PerceptionLM's training documentation. There, placeholders of later turns stay as text,
        media of an assistant-first conversation vanish, and placeholders are not counted.
    """
    media = _media(record, root or Path(), where)
    turns = _with_regions(record, _turns(record, where), where)
    if len(media) > 1:
        return _in_place(turns, media, where)
    if media:
        turns = [(role, _PLACEHOLDER.sub("", t) if role == "user" else t) for role, t in turns]
    messages = [{"role": role, "content": [{"type": "text", "text": t}]} for role, t in turns]
    messages[0]["content"] = [*media, *messages[0]["content"]]
    return messages


def _turns(record: Mapping[str, Any], where: str) -> list[tuple[str, str]]:
    entries = record.get("conversations")
    if entries is None and isinstance(record.get("text"), str):
        return [("user", ""), ("assistant", record["text"])]
    if not isinstance(entries, Sequence) or isinstance(entries, str) or not entries:
        expected = "conversations: a list of {from, value}, or text: a caption"
        _refuse("The record says nothing.", where, expected, "add one of the two keys")
    turns = [_turn(entry, f"{where}.conversations[{n}]") for n, entry in enumerate(entries)]
    if turns[0][0] != "user":
        what = "The assistant speaks first."
        _refuse(what, f"{where}.conversations[0]", "from: human", "take the first entry out")
    return turns


def _turn(entry: object, where: str) -> tuple[str, str]:
    speaker, value = (
        (entry.get("from"), entry.get("value")) if isinstance(entry, Mapping) else (None, None)
    )
    if speaker not in _ROLES or not isinstance(value, str):
        what = f"The entry {entry!r} cannot be read."
        _refuse(what, where, "{from: human or assistant, value: text}", "mend the entry")
    return _ROLES[speaker], value


def _with_regions(
    record: Mapping[str, Any], turns: list[tuple[str, str]], where: str
) -> list[tuple[str, str]]:
    if record.get("image") is None:
        # text about nothing keeps every letter
        _refuse_without(record, "bbox", "image", where)
        return turns
    fill = region_filler(record, where)
    is_caption = record.get("conversations") is None
    places = ["text"] * 2 if is_caption else [f"conversations[{n}]" for n in range(len(turns))]
    return [
        (role, fill(text, f"{where}.{place}"))
        for (role, text), place in zip(turns, places, strict=True)
    ]


def _refuse_without(record: Mapping[str, Any], key: str, medium: str, where: str) -> None:
    if record.get(key):
        fix = f"add {medium}, or take {key} out"
        _refuse(f"{key} stands without {medium}.", where, f"{key} beside {medium}", fix)


def _media(record: Mapping[str, Any], root: Path, where: str) -> list[dict[str, Any]]:
    images, video = record.get("image"), record.get("video")
    if images is not None and video is not None:
        what = "The record has both an image and a video."
        _refuse(what, where, "image or video, not both", "make two records of it")
    if video is None:
        _refuse_without(record, "bbox_map", "video", where)
    else:
        clip: dict[str, Any] = {
            "start_s": record.get("start_time"),
            "end_s": record.get("end_time"),
            "clip_rule": "published",
        }
        if record.get("bbox_map") is not None:
            clip["boxes"] = parse_boxes(record["bbox_map"], f"{where}.bbox_map")
        return [{"type": "video", "video": root / _path(video, f"{where}.video"), **clip}]
    listed = images if isinstance(images, list) else [] if images is None else [images]
    return [{"type": "image", "image": root / _path(one, f"{where}.image")} for one in listed]


def _path(value: object, where: str) -> str:
    if not isinstance(value, str):
        _refuse(f"{value!r} is no path.", where, "a path, or a list of paths", "mend the record")
    return value


def _in_place(
    turns: Sequence[tuple[str, str]], media: Sequence[dict[str, Any]], where: str
) -> list[dict[str, Any]]:
    asked = sum(text.count("<image>") for role, text in turns if role == "user")
    if asked != len(media):
        what = f"The human turns hold {asked} <image>, and the record has {len(media)} images."
        _refuse(what, where, "one <image> for each image", "add or remove placeholders")
    left = iter(media)
    messages: list[dict[str, Any]] = []
    for role, text in turns:
        pieces = text.split("<image>") if role == "user" else [text]
        content = [{"type": "text", "text": pieces[0]}]
        for piece in pieces[1:]:
            content += [next(left), {"type": "text", "text": piece}]
        messages.append({"role": role, "content": content})
    return messages


def _refuse(what: str, where: str, expected: str, fix: str) -> NoReturn:
    raise TokenizerError(what, where=where, expected=expected, fix=fix)
