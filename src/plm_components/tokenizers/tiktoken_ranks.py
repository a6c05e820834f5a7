"""The ``tokenizer.model`` of Llama 3 and PerceptionLM: one ``base64(bytes) rank`` a line.

Read here, with bounds; nothing of the file is more than numbers and bytes.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from plm_components.errors import TokenizerError

# the published file has 128,000 ranks in 2.2 MB, its longest token 128 bytes
MAX_FILE_BYTES = 64 * 2**20
MAX_RANKS = 2**20
MAX_TOKEN_BYTES = 1024

_EXPECTED = "lines of base64(token bytes), a space and a rank; ranks 0, 1, 2, … each once"


def read_ranks(path: Path) -> list[bytes]:
    """The tokens of a ranks file, by rank.

    Args:
        path: A file of tiktoken's format, ``tokenizer.model`` in a PerceptionLM directory.

    Raises:
        TokenizerError: a file that is missing or too large, a line that is none, a token or a
            rank that stands twice, a gap in the ranks, or a byte without a token.
    """
    tokens: dict[int, bytes] = {}
    for number, line in enumerate(_lines(path), start=1):
        token, rank = _parse(line, f"{path}, line {number}")
        if rank in tokens:
            _refuse(f"The rank {rank} stands twice.", f"{path}, line {number}")
        tokens[rank] = token
    _refuse_gaps(tokens, path)
    listed = [tokens[rank] for rank in range(len(tokens))]
    _refuse_twins(listed, path)
    return listed


def _lines(path: Path) -> Iterator[bytes]:
    try:
        # a pipe would be waited for without end
        if not path.is_file():
            raise FileNotFoundError("there is no such file")
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        raise TokenizerError(
            f"The ranks file cannot be read: {error}.",
            where=str(path),
            expected="the tokenizer.model of a PerceptionLM or Llama 3 directory",
            fix="set tokenizer.path to the file",
        ) from error
    if len(data) > MAX_FILE_BYTES:
        _refuse(f"The ranks file is larger than {MAX_FILE_BYTES:,} bytes.", str(path))
    for line in data.splitlines():
        if line:
            yield line


def _parse(line: bytes, where: str) -> tuple[bytes, int]:
    encoded, space, digits = line.partition(b" ")
    try:
        token = b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        token = b""
    # int() takes signs, underscores and any number of digits
    is_rank = digits.isdigit() and len(digits) <= len(str(MAX_RANKS))
    if not token or not space or not is_rank or len(token) > MAX_TOKEN_BYTES:
        _refuse(f"A line of the ranks file is none: {_shown(line)}.", where)
    rank = int(digits)
    if rank >= MAX_RANKS:
        _refuse(f"The rank {rank} is beyond {MAX_RANKS - 1:,}.", where)
    return token, rank


def _shown(line: bytes) -> str:
    text = repr(line.decode("latin-1"))
    return text if len(text) <= 60 else f"{text[:57]}…'"


def _refuse_gaps(tokens: dict[int, bytes], path: Path) -> None:
    missing = next((rank for rank in range(len(tokens)) if rank not in tokens), None)
    if not tokens:
        _refuse("The ranks file is empty.", str(path))
    if missing is not None:
        _refuse(f"The rank {missing} is missing.", str(path))


def _refuse_twins(tokens: Sequence[bytes], path: Path) -> None:
    rank_of: dict[bytes, int] = {}
    for rank, token in enumerate(tokens):
        if token in rank_of:
            _refuse(f"The ranks {rank_of[token]} and {rank} have one token.", str(path))
        rank_of[token] = rank
    byte = next((value for value in range(256) if bytes([value]) not in rank_of), None)
    if byte is not None:
        _refuse(f"The byte {byte:#04x} has no token, so not every text has ids.", str(path))


def _refuse(what: str, where: str) -> NoReturn:
    raise TokenizerError(
        what,
        where=where,
        expected=_EXPECTED,
        fix="fetch the file again; a tokenizer.json is read by tokenizer.type=hf",
    )
