"""tokenizer/tiktoken, against tiktoken itself and against its rule restated on plain bytes."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from tokenizers.trainers import BpeTrainer
from transformers import PreTrainedTokenizerFast
from transformers.convert_slow_tokenizer import TikTokenConverter, bytes_to_unicode
from vocabularies import LLAMA_SPECIALS

from plm_components.contracts import MediaSlot, Turn
from plm_components.errors import TokenizerError
from plm_components.tokenizers.templates import PLM_SYSTEM_PROMPT
from plm_components.tokenizers.tiktoken import TiktokenTokenizer
from plm_components.tokenizers.tiktoken_ranks import MAX_FILE_BYTES, read_ranks

Encode = Callable[[str], list[int]]

# as Llama 3's published files have it
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CORPUS = [
    "This is a test sentence. It's what we'd say; they'LL see, you've SEEN, I'm 12 of 34567.",
    "system user assistant\n\n  indented:\n\t\tcode(x) += 1;  // größer als 漢字漢字 naïve 🎈\r\n",
    "aaaa aaaaaaaa abababab banana bananas      spaces\n\n\n\nlines <|image|> <|eot_id|>",
]
# pieces that meet every rule of the split
PIECES = st.sampled_from(
    ["'s", "'LL", "'ve", "'", "This", " test", "banana", "a", "12", "34567", "٣", "é", "e\u0301",
     "ß", "ſ", "漢字", "🎈", "\u200d", " ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u3000", "...",
     "!", "<|image|>", "<|eot_id|>", "\x00", "\ufeff"]
)  # fmt: skip
TEXTS = st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=20).map("".join))


def trained() -> list[bytes]:
    """Some hundred ranks, learnt from a few sentences."""
    tokenizer = Tokenizer(models.BPE())
    parts = [
        pre_tokenizers.Split(Regex(PATTERN), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(parts)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = BpeTrainer(vocab_size=500, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(CORPUS * 3, trainer)
    byte_of = {letter: byte for byte, letter in bytes_to_unicode().items()}
    by_rank = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    return [bytes(byte_of[letter] for letter in letters) for letters, _ in by_rank]


def write_ranks(path: Path, tokens: list[bytes]) -> str:
    lines = (b64encode(token) + b" %d\n" % rank for rank, token in enumerate(tokens))
    path.write_bytes(b"".join(lines))
    return str(path)


@pytest.fixture(scope="module")
def tokens() -> list[bytes]:
    return trained()


@pytest.fixture(scope="module")
def ranks_file(tokens: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_ranks(tmp_path_factory.mktemp("ranks") / "tokenizer.model", tokens)


@pytest.fixture(scope="module")
def ours(ranks_file: str) -> TiktokenTokenizer:
    return TiktokenTokenizer(path=ranks_file)


def merged(ranks: dict[bytes, int], piece: bytes) -> list[int]:
    """The pair of the lowest rank first, from the left, until none is left."""
    if piece in ranks:
        return [ranks[piece]]
    parts = [bytes([byte]) for byte in piece]
    while pairs := [
        (ranks[a + b], n) for n, (a, b) in enumerate(pairwise(parts)) if a + b in ranks
    ]:
        _, n = min(pairs)
        parts[n : n + 2] = [parts[n] + parts[n + 1]]
    return [ranks[part] for part in parts]


def restated(tokens: list[bytes]) -> Encode:
    ranks = {token: rank for rank, token in enumerate(tokens)}
    return lambda text: [
        token
        for piece in regex.findall(PATTERN, text)
        for token in merged(ranks, piece.encode("utf-8"))
    ]


def of_tiktoken(tokens: list[bytes]) -> Encode:
    tiktoken = pytest.importorskip("tiktoken", reason="tiktoken is a development extra")
    ranks = {token: rank for rank, token in enumerate(tokens)}
    specials = {name: len(tokens) + n for n, name in enumerate(LLAMA_SPECIALS)}
    encoding = tiktoken.Encoding(
        "llama3", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens=specials
    )
    return lambda text: encoding.encode(text, allowed_special=set(), disallowed_special=())


@pytest.fixture(scope="module", params=[restated, of_tiktoken])
def oracle(request: pytest.FixtureRequest, tokens: list[bytes]) -> Encode:
    return request.param(tokens)


# --- ids -------------------------------------------------------------------------------------


@settings(max_examples=500)
@given(text=TEXTS)
def test_ids_are_tiktokens(ours: TiktokenTokenizer, oracle: Encode, text: str) -> None:
    assert ours.encode(text) == oracle(text)


@pytest.mark.parametrize("seed", range(20))
def test_ids_are_tiktokens_for_ranks_that_nothing_taught(seed: int, tmp_path: Path) -> None:
    """Self-overlapping tokens in any order of ranks, where the order of merges could show."""
    random = Random(seed)
    letters = [b"a", b"b", b"c"][: 1 + seed % 3]
    made = list(letters)
    while len(made) < 12 + seed:
        token = random.choice(made) + random.choice(made)
        if token not in made:
            made.append(token)
    made = made[len(letters) :]
    if seed % 2:
        random.shuffle(made)
    tokens = [bytes([byte]) for byte in range(256)] + made
    tokenizer = TiktokenTokenizer(path=write_ranks(tmp_path / "tokenizer.model", tokens))
    expect = restated(tokens)
    for _ in range(50):
        text = b"".join(random.choices(letters, k=random.randint(1, 40))).decode()
        assert tokenizer.encode(text) == expect(text), text


def test_ids_are_those_of_transformers_conversion(
    ours: TiktokenTokenizer, tokens: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    ranks = {token: rank for rank, token in enumerate(tokens)}
    monkeypatch.setattr(TikTokenConverter, "load_tiktoken_bpe", staticmethod(lambda path: ranks))
    converted = TikTokenConverter("unread", pattern=PATTERN, extra_special_tokens=LLAMA_SPECIALS)
    theirs = PreTrainedTokenizerFast(tokenizer_object=converted.converted())
    for text in CORPUS[:2]:
        assert ours.encode(text) == theirs.encode(text, add_special_tokens=False)
    assert ours.special_ids["eot_id"] == theirs.convert_tokens_to_ids("<|eot_id|>")


def test_text_comes_back(ours: TiktokenTokenizer) -> None:
    for text in (*CORPUS, "<|image|>", ""):
        assert ours.decode(ours.encode(text)) == text


@settings(max_examples=100)
@given(text=TEXTS)
def test_no_special_token_can_be_typed(ours: TiktokenTokenizer, text: str) -> None:
    everything = text + "".join(LLAMA_SPECIALS) + "<|image|>" + text
    assert max(ours.encode(everything)) < ours.vocab_size - 256


def test_specials_follow_the_ranks(ours: TiktokenTokenizer, tokens: list[bytes]) -> None:
    first = len(tokens)
    assert ours.special_ids == {
        "begin_of_text": first, "end_of_text": first + 1, "image": first + 2,
        "start_header_id": first + 6, "end_header_id": first + 7, "eot_id": first + 9,
    }  # fmt: skip
    assert ours.vocab_size == first + 256
    assert ours.media_token_ids == {"image": first + 2, "video": first + 2}
    assert ours.stop_ids == (first + 1, first + 9)
    assert ours.decode(list(range(first, first + 256))) == ""


def test_the_published_128000_ranks_give_the_published_ids(tmp_path: Path) -> None:
    tokens = [bytes([byte]) for byte in range(256)]
    # three bytes that are no UTF-8: nothing merges to them
    tokens += [b"\xff" + rank.to_bytes(3, "big") for rank in range(256, 128_000)]
    tokenizer = TiktokenTokenizer(path=write_ranks(tmp_path / "tokenizer.model", tokens))
    assert tokenizer.vocab_size == 128_256
    assert tokenizer.image_token_id == 128_002
    assert tokenizer.stop_ids == (128_001, 128_009)
    encoded = tokenizer.encode_conversation([Turn("user", ("a",))], generation_prompt=True)
    assert encoded.input_ids[:2] == (128_000, 128_006)
    assert encoded.input_ids[-3:] == (128_007, ord("\n"), ord("\n"))


def test_the_conversation_is_plms(ours: TiktokenTokenizer, oracle: Encode) -> None:
    turns = [
        Turn("user", (MediaSlot("image", 3, 0), "What moves?")),
        Turn("assistant", ("It's a <|eot_id|>.",)),
    ]
    encoded = ours.encode_conversation(turns, generation_prompt=False)
    ids = ours.special_ids

    def message(role: str, content: list[int]) -> list[int]:
        head = [ids["start_header_id"], *oracle(role), ids["end_header_id"], *oracle("\n\n")]
        return [*head, *content, ids["eot_id"]]

    answer = message("assistant", oracle("It's a <|eot_id|>."))
    assert list(encoded.input_ids) == [
        ids["begin_of_text"],
        *message("system", oracle(PLM_SYSTEM_PROMPT)),
        *message("user", [ids["image"]] * 3 + oracle("What moves?")),
        *answer,
        ids["end_of_text"],
    ]
    assert sum(encoded.is_response) == len(answer) + 1
    assert encoded.is_response[-len(answer) - 1 :] == (True,) * (len(answer) + 1)


# --- files -----------------------------------------------------------------------------------


def test_the_order_of_the_lines_does_not_matter(tmp_path: Path, tokens: list[bytes]) -> None:
    path = Path(write_ranks(tmp_path / "ranks", tokens))
    path.write_bytes(b"\r\n".join(reversed(path.read_bytes().splitlines())) + b"\r\n\r\n")
    assert read_ranks(path) == tokens


def test_files_at_hand(ranks_file: str, tmp_path: Path) -> None:
    assert TiktokenTokenizer.files_at_hand(path=ranks_file)
    assert not TiktokenTokenizer.files_at_hand(path=str(tmp_path))
    assert TiktokenTokenizer.local_files(path=ranks_file) == {"path": [Path(ranks_file)]}


BYTES = [b64encode(bytes([byte])) + b" %d" % byte for byte in range(256)]


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        ([], "The ranks file is empty."),
        ([*BYTES[:-1], BYTES[0]], "The rank 0 stands twice."),
        ([*BYTES, b"YWE= 257"], "The rank 256 is missing."),
        ([*BYTES, BYTES[0].split()[0] + b" 256"], "The ranks 0 and 256 have one token."),
        (BYTES[:-1], "The byte 0xff has no token, so not every text has ids."),
        ([*BYTES, b"YWE= 99999999"], "A line of the ranks file is none: 'YWE= 99999999'."),
        ([*BYTES, b"YWE= 1048576"], "The rank 1048576 is beyond 1,048,575."),
        ([b"YWE=256"], "A line of the ranks file is none: 'YWE=256'."),
        ([b"YWE= -1"], "A line of the ranks file is none: 'YWE= -1'."),
        ([b"YWE= 1_0"], "A line of the ranks file is none: 'YWE= 1_0'."),
        ([b"YW*E= 1"], "A line of the ranks file is none: 'YW*E= 1'."),
        ([b" 1"], "A line of the ranks file is none: ' 1'."),
        ([b'{"version": "1.0",'], "A line of the ranks file is none: '{\"version\": \"1.0\",'."),
        ([b"A" * 4000 + b" 0"], f"A line of the ranks file is none: '{'A' * 56}…'."),
    ],
)  # fmt: skip
def test_a_damaged_file_is_named(lines: list[bytes], what: str, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.model"
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(TokenizerError) as caught:
        TiktokenTokenizer(path=str(path))
    assert caught.value.what == what
    assert caught.value.where.startswith(str(path))


@settings(max_examples=200)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_ranks_or_one_clear_error(
    data: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed.model"
    path.write_bytes(data)
    with pytest.raises(TokenizerError):
        read_ranks(path)


def test_the_whole_error_of_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(TokenizerError) as caught:
        TiktokenTokenizer(path=str(tmp_path))
    assert str(caught.value) == (
        "The ranks file cannot be read: there is no such file.\n"
        f"  where:    {tmp_path}\n"
        "  expected: the tokenizer.model of a PerceptionLM or Llama 3 directory\n"
        "  fix:      set tokenizer.path to the file"
    )


def test_a_file_without_an_end_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.model"
    with path.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(TokenizerError, match="larger than 67,108,864 bytes"):
        read_ranks(path)
