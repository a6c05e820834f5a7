"""Regions of a picture as text: ``<|bbox0|>`` becomes ``[015,041,171,145]``, in thousandths."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, cast

from plm_components.errors import TokenizerError

# left, top, width, height in pixels
Region: TypeAlias = tuple[float, float, float, float]

_PLACEHOLDER = re.compile(r"<\|bbox([0-9]+)\|>")
_LARGEST_SHARE = 0.999
# beyond any picture, and a sum or a quotient of two such numbers is finite
_LARGEST = 1e15


def region_text(region: Region, width: float, height: float) -> str:
    """A region as the published models read and write it.

    Args:
        region: ``(x, y, w, h)`` in pixels.
        width: Of the picture, in pixels.
        height: Of the picture.

    Returns:
        ``[x1,y1,x2,y2]``: shares of the width and the height, held within 0 and 0.999, their
        first three digits.

    >>> region_text((160, 120, 320, 240), 640, 480)
    '[250,250,750,750]'
    """
    x, y, w, h = region
    shares = (x / width, y / height, (x + w) / width, (y + h) / height)
    return f"[{','.join(_thousandths(share) for share in shares)}]"


def _thousandths(share: float) -> str:
    return f"{int(min(max(share, 0.0), _LARGEST_SHARE) * 1000):03d}"


def region_filler(record: Mapping[str, Any], where: str) -> Callable[[str, str], str]:
    """What writes a record's regions in place of their placeholders.

    Args:
        record: ``bbox`` (a list of ``[x, y, w, h]`` in pixels), ``width`` and ``height``.
        where: What errors call the record.

    Returns:
        A function of a text and its place (for errors). A record without ``bbox`` has no region,
        so any placeholder is one too many.

    Raises:
        TokenizerError: regions, or sizes, that are none; by the function, a placeholder for a
            region that the record does not have.

    Source:
        PerceptionLM's region transform.
    """
    regions = _regions(record.get("bbox"), f"{where}.bbox")
    if regions:
        width, height = (_side(record, key, where) for key in ("width", "height"))
        texts = [region_text(region, width, height) for region in regions]
    else:
        texts = []

    def fill(text: str, at: str) -> str:
        return _PLACEHOLDER.sub(lambda found: _pick(texts, found, at), text)

    return fill


def _regions(value: object, where: str) -> list[Region]:
    if value is None:
        return []
    if not isinstance(value, list | tuple):
        what = f"A value of type {type(value).__name__} holds no regions."
        raise _fault(what, where, "a list of [x, y, w, h]", "write [[x, y, w, h], …]")
    return [_region(one, f"{where}[{n}]") for n, one in enumerate(value)]


def _region(value: object, where: str) -> Region:
    if isinstance(value, list | tuple) and len(value) == 4 and all(map(_is_finite, value)):
        x, y, w, h = (float(number) for number in cast("Sequence[float]", value))
        if w >= 0 and h >= 0:
            return x, y, w, h
    expected = "[x, y, w, h]: left, top, width and height in pixels"
    raise _fault(f"{value!r} is no region.", where, expected, "mend the region")


def _side(record: Mapping[str, Any], key: str, where: str) -> float:
    value = record.get(key)
    if not _is_finite(value) or value <= 0:  # type: ignore[operator]
        what = f"The picture's {key} is {value!r}."
        expected = f"the {key} in pixels that the regions of bbox refer to"
        raise _fault(what, f"{where}.{key}", expected, f"add {key} to the record")
    return float(cast("float", value))


def _is_finite(value: object) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # false for NaN too
    return is_number and abs(cast("float", value)) < _LARGEST


def _pick(texts: Sequence[str], found: re.Match[str], where: str) -> str:
    # int() of thousands of digits is refused by Python itself
    number = int(found[1]) if len(found[1]) < 10 else len(texts)
    if number < len(texts):
        return texts[number]
    has = {0: "none", 1: "<|bbox0|> only"}.get(len(texts), f"<|bbox0|> to <|bbox{len(texts) - 1}|>")
    raise _fault(
        f"{found[0]} stands for a region that the record does not have.",
        where,
        f"placeholders of the regions in bbox: {has}",
        "add the region to bbox, or take the placeholder out",
    )


def _fault(what: str, where: str, expected: str, fix: str) -> TokenizerError:
    return TokenizerError(what, where=where, expected=expected, fix=fix)
