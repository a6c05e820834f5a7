"""Beside a closed list of words, over a long question."""

from __future__ import annotations

from typing import Any

import pytest
from plm_components.tokenizers.words import WordsTokenizer

from plm_my_part.my_part import MyPart as Part

WORDS = ["which", "shape", "moves", "upward", "the", "purple", "?"]
TOKENIZERS = {
    "words": lambda: WordsTokenizer(words=WORDS),
    "bytes": Part,
}


@pytest.mark.parametrize("name", TOKENIZERS)
def test_encode(benchmark: Any, name: str) -> None:
    part = TOKENIZERS[name]()
    text = "which purple shape moves upward?" * (1 if benchmark.disabled else 1000)
    # no wrong answer gets a time
    assert part.decode(part.encode(text)) == text
    benchmark(lambda: part.encode(text))
