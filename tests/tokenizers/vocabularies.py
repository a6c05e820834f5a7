"""Small tokenizers of every family, written as transformers would publish them."""

from __future__ import annotations

import json
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers.trainers import BpeTrainer, UnigramTrainer, WordLevelTrainer

CORPUS = [
    "You are a helpful language and vision assistant. What moves? The red circle moves left.",
    "user system assistant\n\nmodel hello world <|image|> <think> <s> </s> [INST] 0123456789",
    "<|im_start|>user\nWhat color is it?<|im_end|>\n<tool_call> {} </tool_call>",
] * 3

LLAMA_SPECIALS = (
    ["<|begin_of_text|>", "<|end_of_text|>"]
    + [f"<|reserved_special_token_{n}|>" for n in range(4)]
    + ["<|start_header_id|>", "<|end_header_id|>", "<|reserved_special_token_4|>", "<|eot_id|>"]
    + [f"<|reserved_special_token_{n}|>" for n in range(5, 251)]
)
CHATML_SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def byte_level(specials: list[str], plain: tuple[str, ...] = ()) -> Tokenizer:
    """As GPT-2, Llama 3 and Qwen: bytes, merged."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_special_tokens([AddedToken(one, normalized=False) for one in specials])
    tokenizer.add_tokens([AddedToken(one, normalized=False) for one in plain])
    return tokenizer


def metaspace(specials: list[str], plain: tuple[str, ...] = ()) -> Tokenizer:
    """As newer Llama 2 and Mistral files: a mark for a space, and one before the first word."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1),
        ]
    )
    in_vocab = ["<unk>", *specials, *[f"<0x{byte:02X}>" for byte in range(256)]]
    trainer = BpeTrainer(vocab_size=500, special_tokens=in_vocab, show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    # published files have their bytes in the vocabulary, and not among the added tokens
    trained = json.loads(tokenizer.to_str())
    trained["added_tokens"] = trained["added_tokens"][: 1 + len(specials)]
    tokenizer = Tokenizer.from_str(json.dumps(trained))
    tokenizer.add_tokens([AddedToken(one) for one in plain])
    return tokenizer


def unigram(specials: list[str], plain: tuple[str, ...] = ()) -> Tokenizer:
    """As T5 and XLM-R: special tokens stand among the words, with a score that wins."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = UnigramTrainer(
        vocab_size=150, special_tokens=["<unk>", *specials], unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_tokens([AddedToken(one) for one in plain])
    return tokenizer


def word_level(specials: list[str], plain: tuple[str, ...] = ()) -> Tokenizer:
    """Whole words, special tokens among them."""
    tokenizer = Tokenizer(models.WordLevel(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    letters = [chr(code) for code in range(33, 127)]
    trainer = WordLevelTrainer(special_tokens=["<unk>", *specials], show_progress=False)
    tokenizer.train_from_iterator([*CORPUS, " ".join(letters)], trainer)
    tokenizer.add_tokens([AddedToken(one) for one in plain])
    return tokenizer


def plm_vocabulary() -> Tokenizer:
    """128,000 entries, and PerceptionLM's special tokens behind them at their published ids."""
    small = json.loads(byte_level([]).to_str())
    vocab = small["model"]["vocab"]
    vocab |= {f"ranked {number}": number for number in range(len(vocab), 128_000)}
    small["added_tokens"] = []
    tokenizer = Tokenizer.from_str(json.dumps(small))
    renamed = {"<|reserved_special_token_0|>": "<|image|>"}
    specials = [renamed.get(one, one) for one in LLAMA_SPECIALS]
    tokenizer.add_special_tokens([AddedToken(one, normalized=False) for one in specials])
    return tokenizer


def publish(
    directory: Path, tokenizer: Tokenizer, *, chat_template: str | None = None, **config: object
) -> str:
    """Writes the files; returns the path as a spec has it."""
    directory.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(directory / "tokenizer.json"))
    (directory / "tokenizer_config.json").write_text(json.dumps(config))
    if chat_template is not None:
        (directory / "chat_template.jinja").write_text(chat_template)
    return str(directory)
