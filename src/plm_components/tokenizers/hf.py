"""Any fast tokenizer that was published for transformers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

from plm_components.contracts.text import EncodedConversation, PublishedVocabulary, Turn
from plm_components.errors import TokenizerError
from plm_components.tokenizers.hub_files import (
    TokenizerFiles,
    local_tokenizer_files,
    read_tokenizer_files,
    tokenizer_file_at_hand,
)
from plm_components.tokenizers.jinja import JinjaTemplate
from plm_components.tokenizers.plain_text import PlainTextTokenizer
from plm_components.tokenizers.templates import TEMPLATES, Template, encode_segments
from plm_components.untrusted import shown

TemplateChoice: TypeAlias = Literal["plm_sft", "warmup", "chatml", "jinja"]

# as published vocabularies spell what templates ask for
_SPELLING = {
    "begin_of_text": "<|begin_of_text|>",
    "end_of_text": "<|end_of_text|>",
    "start_header_id": "<|start_header_id|>",
    "end_header_id": "<|end_header_id|>",
    "eot_id": "<|eot_id|>",
    "im_start": "<|im_start|>",
    "im_end": "<|im_end|>",
}
# looked for in this order; the last is PerceptionLM's slot in a plain Llama 3 vocabulary
_IMAGE_TOKENS = (
    "<|image|>",
    "<image>",
    "<|image_pad|>",
    "<image_soft_token>",
    "<|reserved_special_token_0|>",
)
# transformers' name for the slot behind the image token
_VIDEO_TOKEN = "<|video|>"
_CONFIGURED = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token")


class HFTokenizer:
    """A ``tokenizer.json``, from a directory or the hub.

    No text that is encoded becomes an added token of the vocabulary, whether marked special or
    not; only added runs of white space are text.

    Args:
        path: Directory with ``tokenizer.json``, or a hub id.
        template: Layout of a conversation; ``jinja`` is the tokenizer's own chat template.
        image_token: Written where an image stands; the first that the vocabulary has of
            ``<|image|>``, ``<image>``, ``<|image_pad|>``, ``<image_soft_token>`` and
            ``<|reserved_special_token_0|>`` if None. A vocabulary without any gets an id behind
            its end, which the model replaces before it embeds.
        video_token: Written where a video stands; the image token if None, as PerceptionLM does
            (and ``<|video|>``, where the vocabulary has it, in layout ``hf`` of the processor).
        stop_tokens: End an answer; the template's own if None.
        system_prompt: In place of the template's own; an empty string for no system turn.

    Raises:
        TokenizerError: files that are missing or damaged, tokens the vocabulary lacks, or no
            token that ends an answer.
    """

    def __init__(
        self,
        *,
        path: str,
        template: TemplateChoice = "plm_sft",
        image_token: str | None = None,
        video_token: str | None = None,
        stop_tokens: list[str] | None = None,
        system_prompt: str | None = None,
    ) -> None:
        files = read_tokenizer_files(path)
        self._path = path
        self._plain = PlainTextTokenizer(files.tokenizer_json)
        self._ids = self._plain.vocabulary()
        self._system_prompt = system_prompt
        self._configured = _configured_tokens(files.config)
        self._template = self._choose_template(template, files)
        self.vocab_size = max(self._ids.values()) + 1
        self.special_ids = self._special_ids()
        self.image_token_id = self._image_id(image_token)
        self.media_token_ids: Mapping[str, int] = {
            "image": self.image_token_id,
            "video": self._id(video_token) if video_token else self.image_token_id,
        }
        self.video_token_id = self._id(video_token) if video_token else self._ids.get(_VIDEO_TOKEN)
        self.stop_ids = self._stop_ids(stop_tokens, files.generation)
        self.pad_id = self._pad_id()

    @classmethod
    def files_at_hand(cls, **options: object) -> bool:
        """Whether ``tokenizer.json`` is on this machine; never touches a network."""
        return tokenizer_file_at_hand(str(options.get("path", "")))

    @classmethod
    def local_files(cls, **options: object) -> dict[str, list[Path]]:
        """The files of a directory here; a hub id names none."""
        files = local_tokenizer_files(str(options.get("path", "")))
        return {"path": files} if files else {}

    def vocabulary(self) -> PublishedVocabulary:
        """Its files, read again: a large vocabulary is not held twice."""
        files = read_tokenizer_files(self._path)
        prompt = self._system_prompt
        if prompt is None:
            prompt = self._template.system_prompt if isinstance(self._template, Template) else ""
        return PublishedVocabulary(files.tokenizer_json, files.config, files.chat_template, prompt)

    def encode(self, text: str) -> list[int]:
        """Ids of plain text; never an added token."""
        return self._plain.encode(text)

    def decode(self, ids: Sequence[int]) -> str:
        """Text of the ids; special tokens and ids outside the vocabulary are left out."""
        known = [token for token in ids if 0 <= token < self.vocab_size]
        return self._plain.decode(known)

    def encode_conversation(
        self, turns: Sequence[Turn], *, generation_prompt: bool
    ) -> EncodedConversation:
        """The conversation in the template, as ids."""
        segments = self._template.segments(
            turns, generation_prompt=generation_prompt, system_prompt=self._system_prompt
        )
        return encode_segments(
            segments,
            encode=lambda text, is_inner: self._plain.encode(text, is_inner=is_inner),
            special_ids=self.special_ids,
            media_ids=self.media_token_ids,
        )

    def _choose_template(
        self, name: TemplateChoice, files: TokenizerFiles
    ) -> Template | JinjaTemplate:
        if name != "jinja":
            return TEMPLATES[name]
        if files.chat_template is None:
            raise TokenizerError(
                "The tokenizer has no chat template.",
                where=self._path,
                expected="chat_template.jinja, or chat_template in tokenizer_config.json",
                fix="set tokenizer.template to plm_sft or chatml",
            )
        specials = tuple(self._plain.added)
        return JinjaTemplate(files.chat_template, specials=specials, variables=self._configured)

    def _special_ids(self) -> dict[str, int]:
        if isinstance(self._template, JinjaTemplate):
            return self._plain.added
        return {role: self._id(_SPELLING[role]) for role in self._template.special_roles}

    def _id(self, token: str) -> int:
        if token not in self._ids:
            raise TokenizerError(
                f"The vocabulary has no token {token!r}.",
                where=self._path,
                expected="a vocabulary with the tokens that the template and the options name",
                fix="choose another tokenizer.template (jinja is the tokenizer's own), or name a "
                "token it has",
            )
        return self._ids[token]

    def _image_id(self, token: str | None) -> int:
        if token is not None:
            return self._id(token)
        return next((self._ids[one] for one in _IMAGE_TOKENS if one in self._ids), self.vocab_size)

    def _stop_ids(
        self, tokens: Sequence[str] | None, generation: Mapping[str, Any]
    ) -> tuple[int, ...]:
        if tokens is not None:
            if not tokens:
                raise _endless(self._path)
            return tuple(self._id(token) for token in tokens)
        if isinstance(self._template, Template) and self._template.special_roles:
            return tuple(self._id(_SPELLING[role]) for role in self._template.stop_roles)
        ends = generation.get("eos_token_id")
        ends = ends if isinstance(ends, list) else [] if ends is None else [ends]
        if any(type(end) is not int or not 0 <= end < self.vocab_size for end in ends):
            raise _no_ids(self._path, ends)
        return tuple(ends) or (self._end_id(),)

    def _end_id(self) -> int:
        return self._id(self._configured.get("eos_token", _SPELLING["end_of_text"]))

    def _pad_id(self) -> int:
        pad = self._configured.get("pad_token")
        return self._ids[pad] if pad in self._ids else self.stop_ids[0]


def _endless(path: str) -> TokenizerError:
    return TokenizerError(
        "No token ends an answer: stop_tokens is empty.",
        where=f"{path}, stop_tokens",
        expected="one or more tokens of the vocabulary, or null for the template's own",
        fix="delete tokenizer.stop_tokens",
    )


def _no_ids(path: str, ends: object) -> TokenizerError:
    return TokenizerError(
        f"eos_token_id is {shown(ends)}.",
        where=f"{path}/generation_config.json",
        expected="an id of the vocabulary, or a list of them",
        fix="mend the file, or name tokenizer.stop_tokens",
    )


def _configured_tokens(config: Mapping[str, Any]) -> dict[str, str]:
    """``bos_token`` and the like; each is a string, or a mapping that holds one."""
    found = {name: config.get(name) for name in _CONFIGURED}
    contents = {
        name: value.get("content") if isinstance(value, Mapping) else value
        for name, value in found.items()
    }
    return {name: value for name, value in contents.items() if isinstance(value, str)}
