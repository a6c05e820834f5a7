"""Ranked byte strings as a fast tokenizer, in the form of ``tokenizer.json``.

Unusual: a ranks file names no merges. Any two tokens whose bytes together are a third's merge to
it, in the order of the third's rank, which is what tiktoken does with the bare ranks.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

# Llama 3's: contractions; words with one sign before them; up to three digits; signs with the
# line ends behind them; line ends; white space but for the last, which is the next word's
SPLIT_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

# bytes that are printed as themselves; the others borrow letters from 256 on
_SHOWN = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_BORROWED = [byte for byte in range(256) if byte not in set(_SHOWN)]
_LETTERS = {byte: chr(byte) for byte in _SHOWN} | {
    byte: chr(256 + n) for n, byte in enumerate(_BORROWED)
}


def byte_level_json(
    tokens: Sequence[bytes], specials: Sequence[str], *, begin: int | None = None
) -> str:
    """Text of a ``tokenizer.json``.

    Args:
        tokens: Byte strings by rank; all 256 single bytes among them.
        specials: Special tokens; their ids follow the ranks.
        begin: Id of the special token that other readers of the file put before a text.

    Source:
        The layout is the ``tokenizers`` library's, the pattern Llama 3's.
    """
    model = {
        "type": "BPE",
        # a piece that is a token whole is that token, merges or not
        "ignore_merges": True,
        "vocab": {_letters(token): rank for rank, token in enumerate(tokens)},
        "merges": list(_merges(tokens)),
    }
    return json.dumps(
        {
            "version": "1.0",
            "added_tokens": [_added(len(tokens) + n, name) for n, name in enumerate(specials)],
            "pre_tokenizer": {
                "type": "Sequence",
                "pretokenizers": [
                    {
                        "type": "Split",
                        "pattern": {"Regex": SPLIT_PATTERN},
                        "behavior": "Isolated",
                        "invert": False,
                    },
                    _byte_level(use_regex=False),
                ],
            },
            "post_processor": None
            if begin is None
            else _opening(begin, specials[begin - len(tokens)]),
            "decoder": _byte_level(use_regex=True),
            "model": model,
        },
        ensure_ascii=False,
    )


def _byte_level(*, use_regex: bool) -> dict[str, Any]:
    return {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": use_regex,
    }


def _opening(token_id: int, content: str) -> dict[str, Any]:
    special = {"SpecialToken": {"id": content, "type_id": 0}}
    first, second = ({"Sequence": {"id": name, "type_id": 0}} for name in "AB")
    return {
        "type": "TemplateProcessing",
        "single": [special, first],
        "pair": [special, first, second],
        "special_tokens": {content: {"id": content, "ids": [token_id], "tokens": [content]}},
    }


def _added(token_id: int, content: str) -> dict[str, Any]:
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": token_id, "content": content, **flags, "special": True}


def _letters(token: bytes) -> str:
    return "".join(_LETTERS[byte] for byte in token)


def _merges(tokens: Sequence[bytes]) -> Iterator[tuple[str, str]]:
    """Pairs in the order they merge; of pairs that give one token, the lower ranks first."""
    rank_of = {token: rank for rank, token in enumerate(tokens)}
    for token in tokens:
        cuts = ((token[:cut], token[cut:]) for cut in range(1, len(token)))
        pairs = [(a, b) for a, b in cuts if a in rank_of and b in rank_of]
        for left, right in sorted(pairs, key=lambda pair: (rank_of[pair[0]], rank_of[pair[1]])):
            yield _letters(left), _letters(right)
