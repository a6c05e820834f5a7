from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast
from vocabularies import (
    CHATML_SPECIALS,
    LLAMA_SPECIALS,
    byte_level,
    metaspace,
    plm_vocabulary,
    publish,
    unigram,
    word_level,
)

from plm_components.contracts import MediaSlot, Turn
from plm_components.errors import TokenizerError
from plm_components.tokenizers.hf import HFTokenizer
from plm_components.tokenizers.templates import PLM_SYSTEM_PROMPT
from published_files import CHAT_TEMPLATE

QUESTION = "What moves?"
ANSWER = "The red circle."
CHAT = [Turn("user", (QUESTION,)), Turn("assistant", (ANSWER,))]
TWICE = [*CHAT, Turn("user", ("And now?",)), Turn("assistant", ("It moves left.",))]


@pytest.fixture(scope="module")
def plm(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("plm")
    return publish(path, plm_vocabulary(), eos_token="<|eot_id|>", pad_token="<|end_of_text|>")


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> str:
    return publish(tmp_path_factory.mktemp("llama"), byte_level(LLAMA_SPECIALS))


def oracle(path: str, chat_template: str | None = None) -> PreTrainedTokenizerFast:
    config = json.loads((Path(path) / "tokenizer_config.json").read_text())
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=f"{path}/tokenizer.json", **config)
    tokenizer.chat_template = chat_template
    return tokenizer


def header(role: str) -> str:
    return f"<|start_header_id|>{role}<|end_header_id|>\n\n"


def test_plms_ids_are_the_published_ones(plm: str) -> None:
    tokenizer = HFTokenizer(path=plm)
    assert tokenizer.image_token_id == 128002
    assert tokenizer.media_token_ids == {"image": 128002, "video": 128002}
    assert tokenizer.stop_ids == (128001, 128009)
    assert tokenizer.pad_id == 128001
    assert tokenizer.vocab_size == 128256


def test_plm_sft_layout(plm: str) -> None:
    image = MediaSlot("image", 3, 0)
    turns = [Turn("user", (image, QUESTION)), *TWICE[1:]]
    encoded = HFTokenizer(path=plm).encode_conversation(turns, generation_prompt=False)
    media = "<|image|>" * 3
    text = (
        f"<|begin_of_text|>{header('system')}{PLM_SYSTEM_PROMPT}<|eot_id|>"
        f"{header('user')}{media}{QUESTION}<|eot_id|>"
        f"{header('assistant')}{ANSWER}<|eot_id|>"
        f"{header('user')}And now?<|eot_id|>"
        f"{header('assistant')}It moves left.<|eot_id|><|end_of_text|>"
    )
    expected = oracle(plm).encode(text, add_special_tokens=False)
    assert list(encoded.input_ids) == expected
    assert encoded.media_starts == (expected.index(128002),)


def test_plm_sft_counts_header_answer_and_ends(plm: str) -> None:
    tokenizer = HFTokenizer(path=plm)
    encoded = tokenizer.encode_conversation(TWICE, generation_prompt=False)
    counted = [i for i, c in zip(encoded.input_ids, encoded.is_response, strict=True) if c]
    text = (
        f"{header('assistant')}{ANSWER}<|eot_id|>"
        f"{header('assistant')}It moves left.<|eot_id|><|end_of_text|>"
    )
    assert counted == oracle(plm).encode(text, add_special_tokens=False)


def test_plm_sft_prompt_ends_with_the_assistants_header(plm: str) -> None:
    tokenizer = HFTokenizer(path=plm, system_prompt="")
    encoded = tokenizer.encode_conversation(CHAT[:1], generation_prompt=True)
    text = f"<|begin_of_text|>{header('user')}{QUESTION}<|eot_id|>{header('assistant')}"
    assert list(encoded.input_ids) == oracle(plm).encode(text, add_special_tokens=False)
    assert not any(encoded.is_response)


def test_the_warmup_template_is_media_and_caption(llama: str) -> None:
    tokenizer = HFTokenizer(path=llama, template="warmup")
    turns = [Turn("user", (MediaSlot("image", 2, 0), "dropped")), Turn("assistant", ("A cat.",))]
    encoded = tokenizer.encode_conversation(turns, generation_prompt=False)
    caption = tokenizer.encode("A cat.\n")
    image = tokenizer.image_token_id
    assert encoded.input_ids == (image, image, *caption)
    assert encoded.is_response == (False, False, *[True] * len(caption))


def test_the_chatml_template(tmp_path: Path) -> None:
    path = publish(tmp_path, byte_level(CHATML_SPECIALS))
    tokenizer = HFTokenizer(path=path, template="chatml", system_prompt="Be brief.")
    encoded = tokenizer.encode_conversation(TWICE, generation_prompt=False)
    turns = ["system\nBe brief.", f"user\n{QUESTION}", f"assistant\n{ANSWER}",
             "user\nAnd now?", "assistant\nIt moves left."]  # fmt: skip
    text = "".join(f"<|im_start|>{turn}<|im_end|>\n" for turn in turns)
    assert list(encoded.input_ids) == oracle(path).encode(text)
    assert tokenizer.stop_ids == (tokenizer.special_ids["im_end"],)


def test_a_system_turn_wins_over_the_prompt(plm: str) -> None:
    tokenizer = HFTokenizer(path=plm, system_prompt="unused")
    turns = [Turn("system", ("Be brief.",)), *CHAT]
    text = tokenizer.decode(tokenizer.encode_conversation(turns, generation_prompt=False).input_ids)
    assert "Be brief." in text
    assert "unused" not in text


def test_a_late_system_turn_is_refused(plm: str) -> None:
    turns = [*CHAT, Turn("system", ("Be brief.",))]
    with pytest.raises(TokenizerError) as caught:
        HFTokenizer(path=plm).encode_conversation(turns, generation_prompt=True)
    assert caught.value.what == "A system turn stands at place 2 of the conversation."


# --- the tokenizer's own template ------------------------------------------------------------

LLAMA_3 = """{{- bos_token }}{%- for m in messages %}
{{- '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' }}
{{- m['content'] | trim + '<|eot_id|>' }}{%- endfor %}{%- if add_generation_prompt %}
{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{%- endif %}"""

QWEN_2 = """{% for m in messages %}{% if loop.first and messages[0]['role'] != 'system' %}
{{- '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}{% endif %}
{{- '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n'}}{% endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"""

# puts an empty thought before the last answer only, so earlier turns change as the chat grows
QWEN_3 = """{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}
{%- if m.role == 'assistant' and loop.last %}{{ '<think>\n\n</think>\n\n' }}{% endif %}
{{- m.content + '<|im_end|>\n' }}{% endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"""

MISTRAL = """{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}
{{- ' [INST] ' + m['content'] + ' [/INST]' }}{% elif m['role'] == 'assistant' %}
{{- ' ' + m['content'] + eos_token }}{% else %}{{ raise_exception('Only user and assistant!') }}
{%- endif %}{% endfor %}"""

PARTS_ONLY = """{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}
{%- for p in m.content %}{% if p['type'] == 'text' %}{{ p['text'] }}{% endif %}{% endfor %}
{{- '<|im_end|>\n' }}{% endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"""

DEAF = "{% for m in messages %}{{ m.role }}{% endfor %}"

TEMPLATES = {
    "llama_3": (LLAMA_3, byte_level, LLAMA_SPECIALS, "<|begin_of_text|>", "<|eot_id|>"),
    "qwen_2": (QWEN_2, byte_level, CHATML_SPECIALS, "<|endoftext|>", "<|im_end|>"),
    "qwen_3": (QWEN_3, byte_level, CHATML_SPECIALS, "<|endoftext|>", "<|im_end|>"),
    "mistral": (MISTRAL, metaspace, ["<s>", "</s>"], "<s>", "</s>"),
    "parts_only": (PARTS_ONLY, byte_level, CHATML_SPECIALS, "<|endoftext|>", "<|im_end|>"),
}


@pytest.fixture(scope="module", params=TEMPLATES)
def own(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """A tokenizer with its own template, and transformers' reading of the same files."""
    source, build, specials, bos, eos = TEMPLATES[request.param]
    path = publish(
        tmp_path_factory.mktemp(request.param),
        build(specials, ("<think>", "</think>")),
        chat_template=source,
        bos_token=bos,
        eos_token=eos,
    )
    return HFTokenizer(path=path, template="jinja"), oracle(path, source), request.param


def as_messages(turns: list[Turn], name: str) -> list[dict[str, object]]:
    def content(turn: Turn) -> object:
        return [{"type": "text", "text": turn.parts[0]}] if name == "parts_only" else turn.parts[0]

    return [{"role": turn.role, "content": content(turn)} for turn in turns]


@pytest.fixture(scope="module")
def plm_jinja(tmp_path_factory: pytest.TempPathFactory) -> str:
    return publish(
        tmp_path_factory.mktemp("plm_jinja"),
        byte_level(["<|image|>", "<|video|>", *LLAMA_SPECIALS]),
        chat_template=CHAT_TEMPLATE,
        bos_token="<|begin_of_text|>",
        eos_token="<|eot_id|>",
    )


def plm_messages(turns: list[Turn]) -> list[dict[str, object]]:
    """As the published template wants them: a system turn is a string."""
    said = as_messages(turns, "parts_only")
    if turns[0].role == "system":
        said[0]["content"] = turns[0].parts[0]
    return said


@pytest.mark.parametrize("prompt", [False, True])
@pytest.mark.parametrize("system", [[], [Turn("system", (" Be brief. ",))]])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_plms_own_chat_template(
    plm_jinja: str, count: int, system: list[Turn], prompt: bool
) -> None:
    tokenizer = HFTokenizer(path=plm_jinja, template="jinja")
    turns = [*system, *(Turn(t.role, (f" {t.parts[0]}\n",)) for t in TWICE[:count])]
    encoded = tokenizer.encode_conversation(turns, generation_prompt=prompt)
    theirs = oracle(plm_jinja, CHAT_TEMPLATE)
    expected = theirs.apply_chat_template(
        plm_messages(turns), add_generation_prompt=prompt, return_dict=False
    )
    assert list(encoded.input_ids) == expected


@pytest.mark.parametrize("system", [[], [Turn("system", ("Be brief.",))]])
@pytest.mark.parametrize("count", [1, 3])
def test_plm_sft_prompts_are_those_of_plms_chat_template(
    plm_jinja: str, count: int, system: list[Turn]
) -> None:
    turns = [*system, *TWICE[:count]]
    sft, own = (
        HFTokenizer(path=plm_jinja, template=name).encode_conversation(
            turns, generation_prompt=True
        )
        for name in ("plm_sft", "jinja")
    )
    assert sft == own


@pytest.mark.parametrize("prompt", [False, True])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_jinja_gives_the_ids_of_transformers(own, count: int, prompt: bool) -> None:
    tokenizer, theirs, name = own
    turns = [Turn(t.role, (f" {t.parts[0]}\n",)) for t in TWICE[:count]]
    encoded = tokenizer.encode_conversation(turns, generation_prompt=prompt)
    expected = theirs.apply_chat_template(
        as_messages(turns, name), add_generation_prompt=prompt, return_dict=False
    )
    assert list(encoded.input_ids) == expected


def test_jinja_counts_each_answer_with_its_end(own) -> None:
    tokenizer, theirs, name = own
    encoded = tokenizer.encode_conversation(TWICE, generation_prompt=False)
    counted = [i for i, c in zip(encoded.input_ids, encoded.is_response, strict=True) if c]
    answers = {
        "llama_3": f"{header('assistant')}{{}}<|eot_id|>",
        "mistral": " {}</s>",
    }.get(name, "<|im_start|>assistant\n{}<|im_end|>")
    text = [answers.format(answer) for answer in (ANSWER, "It moves left.")]
    if name == "qwen_3":
        text[1] = text[1].replace("assistant\n", "assistant\n<think>\n\n</think>\n\n")
    assert theirs.decode(counted).replace(" ", "") == "".join(text).replace(" ", "")


def test_jinja_puts_media_in_place(own) -> None:
    tokenizer, _, _ = own
    turns = [Turn("user", ("see ", MediaSlot("image", 3, 0), " and ", MediaSlot("video", 2, 1)))]
    encoded = tokenizer.encode_conversation(turns, generation_prompt=True)
    image = tokenizer.image_token_id
    first, second = encoded.media_starts
    assert encoded.input_ids[first : first + 3] == (image,) * 3
    assert encoded.input_ids[second : second + 2] == (image,) * 2
    assert encoded.input_ids.count(image) == 5
    between = tokenizer.decode(encoded.input_ids[first + 3 : second])
    assert between.strip() == "and"


@pytest.mark.parametrize(
    ("source", "turns", "why"),
    [
        (MISTRAL, [Turn("system", ("Be brief.",)), *CHAT], "Only user and assistant!"),
        (DEAF, CHAT, "it leaves out what the user says"),
        ("{% for", CHAT, "unexpected"),
    ],
)
def test_a_template_that_refuses_is_named(
    source: str, turns: list[Turn], why: str, tmp_path: Path
) -> None:
    path = publish(
        tmp_path,
        metaspace(["<s>", "</s>"]),
        chat_template=source,
        bos_token="<s>",
        eos_token="</s>",
    )
    tokenizer = HFTokenizer(path=path, template="jinja")
    with pytest.raises(TokenizerError) as caught:
        tokenizer.encode_conversation(turns, generation_prompt=True)
    assert caught.value.what.startswith("The chat template cannot render this conversation: ")
    assert why in caught.value.what


def test_a_template_cannot_reach_python(tmp_path: Path) -> None:
    source = "{{ messages.__class__.__mro__[-1].__subclasses__() }}"
    path = publish(
        tmp_path, byte_level(CHATML_SPECIALS), chat_template=source, eos_token="<|im_end|>"
    )
    with pytest.raises(TokenizerError, match="cannot render"):
        HFTokenizer(path=path, template="jinja").encode_conversation(CHAT, generation_prompt=True)


# --- no text becomes a special token ---------------------------------------------------------

PLAIN_ADDED = ("<think>", "<tool_call>", "  \n")
FAMILIES = {
    "byte_level": (byte_level, LLAMA_SPECIALS[:12]),
    "metaspace": (metaspace, ["<s>", "</s>", "[INST]"]),
    "unigram": (unigram, ["<pad>", "</s>", "<s>"]),
    "word_level": (word_level, ["<s>", "</s>", "[INST]"]),
}


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    build, specials = FAMILIES[request.param]
    eos = specials[1]
    path = publish(
        tmp_path_factory.mktemp(request.param), build(specials, PLAIN_ADDED), eos_token=eos
    )
    tokenizer = HFTokenizer(path=path, template="warmup")
    added = json.loads((Path(path) / "tokenizer.json").read_text())["added_tokens"]
    # the one that stands for unknown letters is what an unknown letter becomes
    reachable = {"<unk>"} | {one["content"] for one in added if one["content"].isspace()}
    forbidden = {one["content"]: one["id"] for one in added if one["content"] not in reachable}
    return tokenizer, forbidden


def test_no_added_token_can_be_typed(family) -> None:
    tokenizer, forbidden = family
    assert {"<think>", "<tool_call>"} < set(forbidden)
    everything = " ".join(forbidden) + "".join(forbidden)
    texts = [
        pattern.format(content)
        for content in (*forbidden, everything)
        for pattern in ("{}", "a {} b", "a{}b", " {}\n", "\n\n{}")
    ]
    for text in texts:
        assert set(tokenizer.encode(text)).isdisjoint(forbidden.values()), text
        encoded = tokenizer.encode_conversation(
            [Turn("user", ("",)), Turn("assistant", (text,))], generation_prompt=False
        )
        assert set(encoded.input_ids).isdisjoint(forbidden.values()), text


@given(text=st.text())
def test_any_text_can_be_encoded(family, text: str) -> None:
    tokenizer, forbidden = family
    ids = tokenizer.encode(text)
    assert set(ids).isdisjoint(forbidden.values())
    assert all(0 <= token < tokenizer.vocab_size for token in ids)


@pytest.mark.parametrize("name", ["llama_3", "qwen_2"])
def test_plain_text_is_encoded_as_transformers_does(name: str, tmp_path: Path) -> None:
    _, build, specials, _, _ = TEMPLATES[name]
    path = publish(tmp_path, build(specials), eos_token=specials[-1])
    for text in ("What moves? The red circle.", "é\n\n  漢字 🎈 12345", "", "\n"):
        ids = HFTokenizer(path=path, template="warmup").encode(text)
        assert ids == oracle(path).encode(text, add_special_tokens=False)


def test_text_comes_back(llama: str) -> None:
    tokenizer = HFTokenizer(path=llama)
    for text in ("What moves? <|eot_id|> é\n\n  漢字 🎈 12345", "<|image|>", ""):
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_decode_leaves_special_and_foreign_ids_out(llama: str) -> None:
    tokenizer = HFTokenizer(path=llama)
    ids = tokenizer.encode("red")
    noise = [tokenizer.special_ids["eot_id"], 10**9, -1]
    assert tokenizer.decode([*noise, *ids, *noise]) == "red"


# --- media and stop tokens -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("specials", "options", "image", "video"),
    [
        (LLAMA_SPECIALS, {}, "<|reserved_special_token_0|>", "<|reserved_special_token_0|>"),
        ([*LLAMA_SPECIALS, "<|image|>"], {}, "<|image|>", "<|image|>"),
        ([*LLAMA_SPECIALS, "<|image|>", "<|video|>"], {"video_token": "<|video|>"},
         "<|image|>", "<|video|>"),
        ([*LLAMA_SPECIALS, "<img>"], {"image_token": "<img>"}, "<img>", "<img>"),
    ],
)  # fmt: skip
def test_media_tokens(
    specials: list[str], options: dict[str, str], image: str, video: str, tmp_path: Path
) -> None:
    vocabulary = byte_level(specials)
    tokenizer = HFTokenizer(path=publish(tmp_path, vocabulary), **options)
    assert tokenizer.media_token_ids == {
        "image": vocabulary.token_to_id(image),
        "video": vocabulary.token_to_id(video),
    }


def test_a_vocabulary_without_an_image_token_gets_an_id_behind_its_end(tmp_path: Path) -> None:
    tokenizer = HFTokenizer(path=publish(tmp_path, byte_level(CHATML_SPECIALS)), template="chatml")
    assert tokenizer.image_token_id == tokenizer.vocab_size


def test_stop_tokens_are_the_templates_or_those_named(tmp_path: Path) -> None:
    vocabulary = byte_level(CHATML_SPECIALS)
    path = publish(tmp_path, vocabulary, eos_token={"content": "<|endoftext|>"})
    ids = vocabulary.get_vocab()
    assert HFTokenizer(path=path, template="chatml").stop_ids == (ids["<|im_end|>"],)
    named = HFTokenizer(path=path, template="chatml", stop_tokens=["<|endoftext|>", "<|im_end|>"])
    assert named.stop_ids == (ids["<|endoftext|>"], ids["<|im_end|>"])
    assert HFTokenizer(path=path, template="warmup").stop_ids == (ids["<|endoftext|>"],)
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": [5, 6]}))
    assert HFTokenizer(path=path, template="warmup").stop_ids == (5, 6)


# --- files -----------------------------------------------------------------------------------


def test_a_token_the_vocabulary_lacks_is_named(tmp_path: Path) -> None:
    path = publish(tmp_path, byte_level(CHATML_SPECIALS))
    with pytest.raises(TokenizerError) as caught:
        HFTokenizer(path=path)
    assert str(caught.value) == (
        "The vocabulary has no token '<|begin_of_text|>'.\n"
        f"  where:    {path}\n"
        "  expected: a vocabulary with the tokens that the template and the options name\n"
        "  fix:      choose another tokenizer.template (jinja is the tokenizer's own), or name a "
        "token it has"
    )


def test_no_stop_token_is_refused(llama: str) -> None:
    with pytest.raises(TokenizerError) as caught:
        HFTokenizer(path=llama, stop_tokens=[])
    assert str(caught.value) == (
        "No token ends an answer: stop_tokens is empty.\n"
        f"  where:    {llama}, stop_tokens\n"
        "  expected: one or more tokens of the vocabulary, or null for the template's own\n"
        "  fix:      delete tokenizer.stop_tokens"
    )


def test_jinja_without_a_template_is_refused(llama: str) -> None:
    with pytest.raises(TokenizerError, match="has no chat template"):
        HFTokenizer(path=llama, template="jinja")


@pytest.mark.parametrize("path", ["./nothing-here", "/nothing/here"])
def test_a_directory_without_a_tokenizer_is_named(path: str) -> None:
    assert not HFTokenizer.files_at_hand(path=path)
    with pytest.raises(TokenizerError) as caught:
        HFTokenizer(path=path)
    assert caught.value.what == "There is no tokenizer.json to read."
    assert caught.value.where == path


@pytest.mark.parametrize("text", ["{}", "no json", '{"model": 3}', "[]"])
def test_a_damaged_tokenizer_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text(text)
    with pytest.raises(TokenizerError, match="cannot be built"):
        HFTokenizer(path=str(tmp_path))


def test_a_damaged_config_is_named(tmp_path: Path) -> None:
    path = publish(tmp_path, byte_level(LLAMA_SPECIALS))
    (tmp_path / "tokenizer_config.json").write_text("{")
    with pytest.raises(TokenizerError) as caught:
        HFTokenizer(path=path)
    assert caught.value.where == str(tmp_path / "tokenizer_config.json")


def test_a_hub_id_out_of_reach_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert not HFTokenizer.files_at_hand(path="facebook/Perception-LM-1B")
    with pytest.raises(TokenizerError) as caught:
        HFTokenizer(path="facebook/Perception-LM-1B")
    assert caught.value.what.startswith("The tokenizer cannot be fetched (")
    assert caught.value.fix.endswith("hf download facebook/Perception-LM-1B")


def test_files_at_hand(llama: str) -> None:
    assert HFTokenizer.files_at_hand(path=llama)
    assert not HFTokenizer.files_at_hand(path="not a: hub id")
