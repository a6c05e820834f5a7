"""A variant as a directory that stock transformers loads: weights, configuration, processor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from torch import Tensor

from plm_components.checkpoints.export_ids import (
    PUBLISHED_IDS,
    ExportIds,
    export_ids,
    without_tokenizer,
)
from plm_components.checkpoints.hf_config_file import hf_config, hf_generation_config
from plm_components.checkpoints.hf_inputs import InputFiles, as_json, hf_inputs
from plm_components.checkpoints.hf_keys import hf_keys
from plm_components.checkpoints.inexpressible import ExportFormat
from plm_components.checkpoints.plm_facts import PLMFacts, part_of, plm_facts
from plm_components.checkpoints.tensor_files import MAX_FILE_BYTES, write_tensors
from plm_components.contracts import HasVocabulary, PublishedVocabulary, Tokenizer
from plm_components.errors import Fault, PlmError
from plm_components.spec import SpecTree


class HFExport:
    """Everything of a composition but its weights, ready to be written.

    Args:
        tree: A composition that ``inexpressible`` has nothing against.
        tokenizer: The variant's, or why there is none.
        dtype: Of the weights, ``bfloat16``.

    Attributes:
        config: What becomes ``config.json``.
        left_out: What the format has no place for, in words.
        texts: Content of every other file than the weights, by name.
    """

    format: ClassVar[ExportFormat] = "hf"

    def __init__(self, tree: SpecTree, tokenizer: Tokenizer | PlmError, dtype: str) -> None:
        self._facts = plm_facts(tree)
        vocabulary = tokenizer.vocabulary() if isinstance(tokenizer, HasVocabulary) else None
        self.ids = _ids(tree, tokenizer, vocabulary)
        if vocabulary is None:
            files = InputFiles({}, (_no_tokenizer(tree, tokenizer),))
        else:
            files = hf_inputs(tree, self._facts, vocabulary, self.ids)
        self.left_out = (*files.left_out, *_left_to_the_caller(tree, self._facts, self.ids))
        self.config = hf_config(self._facts, self.ids, dtype)
        self.texts = {
            "config.json": as_json(self.config),
            "generation_config.json": as_json(hf_generation_config(self.ids)),
            **files.texts,
        }

    def faults(self) -> list[Fault]:
        """Ids that transformers could not embed."""
        rows = self._facts.decoder["vocab_size"]
        named = {"image": self.ids.image, "video": self.ids.video}
        outside = {kind: token for kind, token in named.items() if token >= rows}
        return [
            Fault(
                f"The id {token}, which stands for {kind}s, lies outside the decoder's table.",
                where="decoder.vocab_size, tokenizer",
                expected=f"an id below {rows}: transformers embeds it before it is overwritten",
                fix="name a token of the vocabulary in tokenizer.image_token, or enlarge the table",
            )
            for kind, token in outside.items()
        ]

    def write(
        self,
        directory: Path,
        tensors: Mapping[str, Tensor],
        *,
        max_file_bytes: int = MAX_FILE_BYTES,
    ) -> None:
        """Writes all files into a directory that nobody reads yet.

        Args:
            directory: Where.
            tensors: The model's, by our names; none is changed or copied.
            max_file_bytes: Above this the tensors are spread over several files and an index.
        """
        names = hf_keys(self._facts.sizes)
        assert names.keys() == tensors.keys()
        renamed = {theirs: tensors[ours] for ours, theirs in names.items()}
        write_tensors(renamed, directory, max_file_bytes=max_file_bytes)
        for name, text in self.texts.items():
            (directory / name).write_text(text, encoding="utf-8")


def _ids(
    tree: SpecTree, tokenizer: Tokenizer | PlmError, vocabulary: PublishedVocabulary | None
) -> ExportIds:
    if not isinstance(tokenizer, PlmError):
        return export_ids(tokenizer, vocabulary)
    # an image's, then a video's, as a published configuration is read
    media = tree.media_token_ids
    if set(media) <= {PUBLISHED_IDS.image}:
        # the original writes one id for both, beside which transformers' second is free
        media = (PUBLISHED_IDS.image, PUBLISHED_IDS.video)
    rows = part_of(tree, "decoder").options["vocab_size"]
    return without_tokenizer(media[0], media[-1], rows)


def _no_tokenizer(tree: SpecTree, tokenizer: Tokenizer | PlmError) -> str:
    files = "the tokenizer's and the processor's files"
    if isinstance(tokenizer, PlmError):
        return f"{files}: {tokenizer.what[:1].lower()}{tokenizer.what[1:].rstrip('.')}"
    address = part_of(tree, "tokenizer").entry.address
    return f"{files}: no tokenizer.json gives the ids of {address} for every text"


def _left_to_the_caller(tree: SpecTree, facts: PLMFacts, ids: ExportIds) -> Iterator[str]:
    sampler = tree.parts["video_sampler"]
    if sampler is not None:
        yield (
            f"{sampler.entry.address}: transformers takes every frame it is given, and chooses by "
            "its own rule where its caller says do_sample_frames=True"
        )
    if facts.encoder["drop_path"]:
        yield "vision_encoder.drop_path: a matter of training, where timm's grows with depth"
    if ids.image == ids.video:
        yield "a token of its own for a video: no prompt may hold an image and a video"
