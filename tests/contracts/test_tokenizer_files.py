"""tokenizer/hf and tokenizer/tiktoken over files made here: no wheel ships any."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from plm_components.testing import Case, checks_for, conformance
from plm_components.zoo import default_zoo

_SPECIAL = {
    "plm_sft": [
        "<|begin_of_text|>",
        "<|end_of_text|>",
        "<|image|>",
        "<|start_header_id|>",
        "<|end_header_id|>",
        "<|eot_id|>",
    ],
    "chatml": ["<|im_start|>", "<|im_end|>", "<|image_pad|>"],
}


def _byte_level(path: Path, special: list[str]) -> None:
    """256 bytes, no merges, and special tokens behind them."""
    alphabet = {symbol: n for n, symbol in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocab=alphabet, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in special])
    tokenizer.save(str(path / "tokenizer.json"))


def _ranks(path: Path) -> Path:
    """256 bytes in tiktoken's format."""
    lines = [b64encode(bytes([byte])) + b" %d\n" % byte for byte in range(256)]
    file = path / "tokenizer.model"
    file.write_bytes(b"".join(lines))
    return file


@pytest.fixture(scope="module", params=[*_SPECIAL, "tiktoken"])
def verdicts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """Check -> result, for one file."""
    path = tmp_path_factory.mktemp(request.param)
    if request.param == "tiktoken":
        entry = default_zoo().get("tokenizer", "tiktoken")
        case = Case("bytes", {"path": str(_ranks(path))})
    else:
        entry = default_zoo().get("tokenizer", "hf")
        _byte_level(path, _SPECIAL[request.param])
        case = Case(request.param, {"path": str(path), "template": request.param})
    return {result.check: result for result in conformance(entry, case)}


@pytest.mark.parametrize("check", [one.name for one in checks_for("tokenizer")])
def test_the_promise_is_kept(verdicts, check: str) -> None:
    assert verdicts[check].outcome == "passed", str(verdicts[check])
