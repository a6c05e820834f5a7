"""A closed list of words, and bytes for everything else.

Unusual: spaces cost nothing. Between two words the decoder writes the gap that English would
have there, and the encoder writes a gap (as bytes) only where the text has another one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path

from plm_components.contracts.text import EncodedConversation, Turn
from plm_components.errors import TokenizerError
from plm_components.tokenizers.templates import TEMPLATES, TemplateName, encode_segments
from plm_components.untrusted import expanded, is_file, read_text, reason, shown

SPECIAL_ROLES = (
    "pad",
    "begin_of_text",
    "end_of_text",
    "image",
    "video",
    "start_header_id",
    "end_header_id",
    "eot_id",
    "im_start",
    "im_end",
)
# in every table, so that a header is four tokens
TEMPLATE_WORDS = ("\n\n", "system", "user", "assistant")

MAX_FILE_BYTES = 16 * 2**20
_FIRST_BYTE = len(SPECIAL_ROLES)
_FIRST_WORD = _FIRST_BYTE + 256

_LEXEME = re.compile(r"(?P<gap>\s+)|[^\W\d_]+(?:'[^\W\d_]+)*|[0-9]+|.", re.DOTALL)
_NEVER_AFTER_GAP = frozenset(".,;:?!)]}%")
_NEVER_BEFORE_GAP = frozenset("([{")


class WordsTokenizer:
    """Words of a list, bytes for the rest; the smallest tokenizer that can say anything.

    Ids: ten special tokens (``pad`` 0, ``begin_of_text`` 1, ``end_of_text`` 2, ``image`` 3,
    ``video`` 4, ``start_header_id`` 5, ``end_header_id`` 6, ``eot_id`` 7, ``im_start`` 8,
    ``im_end`` 9), 256 bytes, four words of the templates, then the list in its order.

    A word is found in any case and becomes the list's lower-case one; a number that is not in the
    list is written digit by digit; what is in no list is UTF-8 bytes and keeps its case. So
    ``decode(encode(text))`` is ``text`` with the listed words in lower case, spaces included;
    text in lower case comes back exactly. Characters UTF-8 cannot hold become ``?``.

    Args:
        words: The list; or a text file with one word a line, as a path or as
            ``package:<file>`` for one that ships under ``plm_components/weights``.
        template: Layout of a conversation.
        system_prompt: In place of the template's own; an empty string for no system turn.

    Raises:
        TokenizerError: a list that is missing, or holds a word twice or one that can never match.
    """

    def __init__(
        self,
        *,
        words: str | list[str],
        template: TemplateName = "plm_sft",
        system_prompt: str | None = None,
    ) -> None:
        listed = _read_words(words) if isinstance(words, str) else list(words)
        _refuse_bad_words(listed, where=words if isinstance(words, str) else "tokenizer.words")
        self._words = (*TEMPLATE_WORDS, *listed)
        self._id_of_word = {word: _FIRST_WORD + n for n, word in enumerate(self._words)}
        self._template = TEMPLATES[template]
        self._system_prompt = system_prompt
        self.special_ids: Mapping[str, int] = {role: n for n, role in enumerate(SPECIAL_ROLES)}
        self.vocab_size = _FIRST_WORD + len(self._words)
        self.pad_id = self.special_ids["pad"]
        self.image_token_id = self.special_ids["image"]
        self.media_token_ids: Mapping[str, int] = {
            kind: self.special_ids[kind] for kind in ("image", "video")
        }
        self.stop_ids = tuple(self.special_ids[role] for role in self._template.stop_roles)

    @classmethod
    def files_at_hand(cls, **options: object) -> bool:
        """Whether the word list is here; it is never downloaded."""
        words = options.get("words")
        return not isinstance(words, str) or is_file(_word_file(words))

    @classmethod
    def local_files(cls, **options: object) -> dict[str, list[Path]]:
        """The word list, where it is a file outside this package."""
        words = options.get("words")
        if not isinstance(words, str) or words.startswith("package:"):
            return {}
        return {"words": [_word_file(words)]}

    def encode(self, text: str) -> list[int]:
        """Ids of plain text; never a special one."""
        ids: list[int] = []
        left, gap = "", ""
        for lexeme, is_gap in _lexemes(text):
            if is_gap:
                gap = lexeme
                continue
            for item in self._items(lexeme):
                left = self._write(ids, left, gap, item)
                gap = ""
        self._write_gap(ids, gap)
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """Text of the ids; special tokens and ids outside the table are left out."""
        text = bytearray()
        left = ""
        for token in ids:
            if _FIRST_BYTE <= token < _FIRST_WORD:
                text.append(token - _FIRST_BYTE)
                left = ""
            elif _FIRST_WORD <= token < self.vocab_size:
                word = self._words[token - _FIRST_WORD]
                text += (_usual_gap(left, word) + word).encode()
                left = word
            else:
                left = ""
        return text.decode("utf-8", errors="replace")

    def encode_conversation(
        self, turns: Sequence[Turn], *, generation_prompt: bool
    ) -> EncodedConversation:
        """The conversation in the template, as ids."""
        segments = self._template.segments(
            turns, generation_prompt=generation_prompt, system_prompt=self._system_prompt
        )
        return encode_segments(
            segments,
            encode=lambda text, is_inner: self.encode(text),
            special_ids=self.special_ids,
            media_ids=self.media_token_ids,
        )

    def _items(self, lexeme: str) -> Iterator[str]:
        """A lexeme as one item, or a number the list does not hold as its digits."""
        if lexeme.isdecimal() and lexeme not in self._id_of_word:
            yield from lexeme
        else:
            yield lexeme

    def _write(self, ids: list[int], left: str, gap: str, item: str) -> str:
        """Appends an item behind its gap; returns the word it ends with, or "" after bytes."""
        word = item.lower() if item.isascii() else item
        token = self._id_of_word.get(word)
        if token is not None and gap == _usual_gap(left, word):
            ids.append(token)
            return word
        self._write_gap(ids, gap)
        # a word that follows without the usual space can only be told by bytes
        if token is not None and gap:
            ids.append(token)
            return word
        ids.extend(_byte_ids(item))
        return ""

    def _write_gap(self, ids: list[int], gap: str) -> None:
        for piece in re.findall(r"\n\n|.", gap, re.DOTALL):
            token = self._id_of_word.get(piece)
            ids.extend([token] if token is not None else _byte_ids(piece))


def _lexemes(text: str) -> Iterator[tuple[str, bool]]:
    for match in _LEXEME.finditer(text):
        yield match.group(), match.lastgroup == "gap"


def _usual_gap(left: str, right: str) -> str:
    """What stands between two words of the list; "" for ``left`` is a boundary or bytes."""
    if not left or left == "\n\n" or right == "\n\n":
        return ""
    if right in _NEVER_AFTER_GAP or left in _NEVER_BEFORE_GAP:
        return ""
    if left.isdecimal() and right.isdecimal():
        return ""
    return " "


def _byte_ids(text: str) -> list[int]:
    return [_FIRST_BYTE + byte for byte in text.encode("utf-8", errors="replace")]


def _word_file(words: str) -> Path:
    if words.startswith("package:"):
        root = resources.files("plm_components") / "weights"
        return Path(str(root)) / words.removeprefix("package:")
    return expanded(words)


def _read_words(words: str) -> list[str]:
    path = _word_file(words)
    try:
        return read_text(path, MAX_FILE_BYTES).split()
    except (OSError, ValueError) as error:
        raise TokenizerError(
            f"The word list cannot be read: {reason(error)}.",
            where=words,
            expected="a UTF-8 text file with one word a line",
            fix="set tokenizer.words to such a file, to package:<file>, or to a list of words",
        ) from error


def _refuse_bad_words(words: Sequence[str], *, where: str) -> None:
    seen = set(TEMPLATE_WORDS)
    for word in words:
        if word in seen:
            what = f"The word {shown(repr(word))} stands twice in the table."
            _refuse(what, where, "each word once; the templates' own words are always there")
        seen.add(word)
        lexemes = [lexeme for lexeme, _ in _lexemes(word)]
        if lexemes != [word] or word.isspace() or (word.isascii() and word != word.lower()):
            what = f"The word {shown(repr(word))} can never match."
            _refuse(what, where, "lower-case letters, one number, or one other character")


def _refuse(what: str, where: str, expected: str) -> None:
    raise TokenizerError(what, where=where, expected=expected, fix="take it out of the list")
