"""Text to ids through a fast tokenizer, so that no text becomes a special token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tokenizers import AddedToken, Tokenizer

from plm_components.errors import TokenizerError
from plm_components.untrusted import reason

# in no vocabulary, so it shows what an unknown letter becomes
_UNKNOWN_LETTER = "\U0010fffd"


class PlainTextTokenizer:
    """Encodes what users and models say, never what a template says.

    Every added token is out of reach, those that are not marked special (``<think>``,
    ``<tool_call>``) too; only added runs of white space are text. A vocabulary that holds a
    special token among its words as well is caught after encoding: the token is spelled out.

    Args:
        tokenizer_json: Text of ``tokenizer.json``.

    Raises:
        TokenizerError: a file that no tokenizer can be made of.

    Attributes:
        added: Ids of the added tokens by content, white space left out.
    """

    def __init__(self, tokenizer_json: str) -> None:
        with _library("The tokenizer cannot be built"):
            self._build(tokenizer_json)

    def _build(self, tokenizer_json: str) -> None:
        self._first = _load(tokenizer_json)
        added = self._first.get_added_tokens_decoder()
        self.added = {token.content: n for n, token in added.items() if not token.content.isspace()}
        self._skipped = frozenset(n for n, token in added.items() if token.special)
        _hide(self._first, [token for token in added.values() if token.content in self.added])
        self._inner = self._first
        if any(True for _ in _first_word_marks(self._first)):
            self._inner = _unmarked(self._first)
        if not self._first.get_vocab(with_added_tokens=True):
            raise ValueError("its vocabulary is empty")
        unknown = self._first.encode(_UNKNOWN_LETTER, add_special_tokens=False).ids
        self._forbidden = frozenset(self.added.values()).difference(unknown)

    def vocabulary(self) -> dict[str, int]:
        """Every token's id by content."""
        return dict(self._first.get_vocab(with_added_tokens=True))

    def encode(self, text: str, *, is_inner: bool = False) -> list[int]:
        """Ids of the text.

        Args:
            text: Anything; what UTF-8 cannot hold becomes ``?``.
            is_inner: Whether something stands before it, for tokenizers that mark the first
                word of all.
        """
        tokenizer = self._inner if is_inner else self._first
        safe = text.encode("utf-8", errors="replace").decode("utf-8")
        with _library("The text cannot be encoded"):
            encoding = tokenizer.encode(safe, add_special_tokens=False)
        if self._forbidden.isdisjoint(encoding.ids):
            return list(encoding.ids)
        ids: list[int] = []
        for token, (start, end) in zip(encoding.ids, encoding.offsets, strict=True):
            is_forbidden = token in self._forbidden
            ids.extend(self._spelled(safe[start:end]) if is_forbidden else [token])
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """Text of the ids; special tokens are left out."""
        shown = [token for token in ids if token not in self._skipped]
        with _library("The answer cannot be decoded"):
            return str(self._first.decode(shown, skip_special_tokens=False))

    def _spelled(self, text: str) -> Iterator[int]:
        for letter in text:
            for token in self._inner.encode(letter, add_special_tokens=False).ids:
                if token in self._forbidden:
                    raise TokenizerError(
                        f"The letter {letter!r} is a special token of this vocabulary.",
                        where="tokenizer",
                        expected="text without it",
                        fix="take the letter out of the text",
                    )
                yield token


@contextmanager
def _library(what: str) -> Iterator[None]:
    """The tokenizers library raises bare ``Exception``, and its panics are not even that."""
    try:
        yield
    except TokenizerError:
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise TokenizerError(
            f"{what}: {reason(error)}.",
            where="tokenizer.json",
            expected="a file as the tokenizers library writes it",
            fix="fetch the file again, or update the tokenizers library",
        ) from error


def _load(tokenizer_json: str) -> Tokenizer:
    tokenizer = Tokenizer.from_str(tokenizer_json)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _hide(tokenizer: Tokenizer, tokens: Sequence[AddedToken]) -> None:
    """Marked special, a token is not looked for in text while special tokens are encoded."""
    for token in tokens:
        token.special = True
    tokenizer.add_special_tokens(list(tokens))
    tokenizer.encode_special_tokens = True


def _first_word_marks(tokenizer: Tokenizer) -> Iterator[Any]:
    """Pre-tokenizers that put a space before the very first word of all."""
    top = tokenizer.pre_tokenizer
    parts = list(top) if hasattr(top, "__getitem__") else [top]
    return (part for part in parts if getattr(part, "prepend_scheme", None) == "first")


def _unmarked(tokenizer: Tokenizer) -> Tokenizer:
    """A copy for text that something stands before."""
    copy = Tokenizer.from_str(tokenizer.to_str())
    copy.encode_special_tokens = True
    for part in _first_word_marks(copy):
        part.prepend_scheme = "never"
    return copy
