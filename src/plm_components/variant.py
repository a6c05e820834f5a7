"""A model and its processor: what answers questions, is saved and exported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Literal, overload

import torch
from torch import Tensor

from plm_components.assembly import (
    Assembled,
    Lock,
    LockedWeights,
    dtype_name,
    lock_as_saved,
    receipt_from,
    require_trained,
    with_files_copied,
    without_part_weights,
)
from plm_components.atomic import atomic_directory
from plm_components.checkpoints import (
    WRITE_ERRORS,
    Exported,
    ExportFormat,
    Receipt,
    VariantWriter,
    check_exportable,
    check_writable,
    first_few,
    first_nonfinite,
    prepared_export,
    receipt_of,
    tensors_of,
    write_export,
)
from plm_components.errors import CheckpointError, PlmError, UsageError
from plm_components.inference import FeatureCache, Reply, generate, text_pieces
from plm_components.model.perception_lm import PerceptionLM
from plm_components.model.processor import Processor
from plm_components.model.question import Boxes, Picture, question_parts, require_drawn
from plm_components.spec import SpecTree, dump_yaml
from plm_components.untrusted import expanded

Conversation = Sequence[Mapping[str, Any]]


class Variant:
    """A model, its processor, and the record of where every part and weight came from.

    Made by ``assemble`` and ``load``.

    Attributes:
        model: The model, in eval mode.
        spec: The spec it was assembled from, canonical.
        lock: Which distribution and version built each part.
        receipt: Where each part's tensors come from, and which were never trained.
        differences: What was built here and differs from the lock beside its weights, in words.
        notes: What was left aside when it was loaded, in words.
        features: Features of images and videos asked about before.
    """

    def __init__(self, tree: SpecTree, assembled: Assembled) -> None:
        self.model: PerceptionLM = assembled.model
        self.lock: Lock = assembled.lock
        self.receipt: Receipt = assembled.receipt
        self.differences: tuple[str, ...] = assembled.differences
        self.notes: tuple[str, ...] = assembled.notes
        self.features = FeatureCache()
        self._tree = tree
        self._processor = assembled.processor
        self._weights_seen: object = None

    @property
    def spec(self) -> dict[str, Any]:
        """The spec it was assembled from, canonical."""
        return self._tree.data

    @property
    def processor(self) -> Processor:
        """Conversations to batches.

        Raises:
            TokenizerError: the files of the tokenizer are not here.
        """
        if isinstance(self._processor, PlmError):
            raise self._processor
        return self._processor

    @overload
    def ask(
        self,
        question: str,
        *,
        image: Picture | None = ...,
        images: Sequence[Picture] = ...,
        video: str | Path | None = ...,
        start_s: float | None = ...,
        end_s: float | None = ...,
        boxes: Boxes | None = ...,
        system: str | None = ...,
        max_new_tokens: int = ...,
        temperature: float = ...,
        top_p: float | None = ...,
        seed: int | None = ...,
        allow_untrained: bool = ...,
        stream: Literal[False] = ...,
    ) -> str: ...
    @overload
    def ask(
        self,
        question: str,
        *,
        image: Picture | None = ...,
        images: Sequence[Picture] = ...,
        video: str | Path | None = ...,
        start_s: float | None = ...,
        end_s: float | None = ...,
        boxes: Boxes | None = ...,
        system: str | None = ...,
        max_new_tokens: int = ...,
        temperature: float = ...,
        top_p: float | None = ...,
        seed: int | None = ...,
        allow_untrained: bool = ...,
        stream: Literal[True],
    ) -> Reply: ...
    def ask(
        self,
        question: str,
        *,
        image: Picture | None = None,
        images: Sequence[Picture] = (),
        video: str | Path | None = None,
        start_s: float | None = None,
        end_s: float | None = None,
        boxes: Boxes | None = None,
        system: str | None = None,
        max_new_tokens: int = 64,
        temperature: float = 0.0,
        top_p: float | None = None,
        seed: int | None = None,
        allow_untrained: bool = False,
        stream: bool = False,
    ) -> str | Reply:
        """Answers one question, about images and a video if there are any.

        Args:
            question: In words; media stand before it.
            image: A file or a picture.
            images: Several of them.
            video: A file.
            start_s: Where to begin in the video, in seconds.
            end_s: Where to end in it.
            boxes: To be drawn on it: ``{12: [x1, y1, x2, y2], …}``, by number of the frame in the
                file, in pixels of the frame.
            system: In place of the template's own system turn.
            max_new_tokens: Bound on the answer.
            temperature: 0 takes the likeliest token.
            top_p: Samples among the likeliest tokens that together reach this probability.
            seed: Of the sampling.
            allow_untrained: Answer though a part that is needed was never trained: noise.
            stream: Give a ``Reply``: pieces of text as they come, and then the frames, seconds
                and boxes it speaks of, instead of the whole answer.

        Raises:
            MediaError: an image or a video that cannot be read, or boxes it has no place for.
            UnsupportedError: a medium this variant has no part for.
            UsageError: arguments that make no sense, a variant without weights, or one with a part
                on the way that nobody trained.
        """
        content = question_parts(
            question,
            image=image,
            images=images,
            video=video,
            start_s=start_s,
            end_s=end_s,
            boxes=boxes,
        )
        turns: list[dict[str, Any]] = [{"role": "user", "content": content}]
        if system is not None:
            turns.insert(0, {"role": "system", "content": system})
        reply = self.chat(
            turns,
            max_new_tokens=max_new_tokens,
            temperature=temperature,
            top_p=top_p,
            seed=seed,
            allow_untrained=allow_untrained,
            stream=True,
        )
        require_drawn(boxes, reply.media, "ask, boxes")
        return reply if stream else reply.text

    @overload
    def chat(
        self,
        conversation: Conversation,
        *,
        max_new_tokens: int = ...,
        temperature: float = ...,
        top_p: float | None = ...,
        seed: int | None = ...,
        allow_untrained: bool = ...,
        stream: Literal[False] = ...,
    ) -> str: ...
    @overload
    def chat(
        self,
        conversation: Conversation,
        *,
        max_new_tokens: int = ...,
        temperature: float = ...,
        top_p: float | None = ...,
        seed: int | None = ...,
        allow_untrained: bool = ...,
        stream: Literal[True],
    ) -> Reply: ...
    def chat(
        self,
        conversation: Conversation,
        *,
        max_new_tokens: int = 64,
        temperature: float = 0.0,
        top_p: float | None = None,
        seed: int | None = None,
        allow_untrained: bool = False,
        stream: bool = False,
    ) -> str | Reply:
        """Gives the assistant's next message of a conversation.

        Args:
            conversation: Messages ``{"role": …, "content": text or list of parts}``.
            max_new_tokens: Bound on the answer.
            temperature: 0 takes the likeliest token.
            top_p: Samples among the likeliest tokens that together reach this probability.
            seed: Of the sampling.
            allow_untrained: Answer though a part that is needed was never trained: noise.
            stream: Give a ``Reply``, as ``ask`` does, instead of the whole answer.

        Raises:
            UsageError: as :meth:`ask`.
        """
        self._require_weights("ask")
        batch = self.processor(conversation).to(self._device)
        if not allow_untrained:
            require_trained(self.receipt, media=bool(batch.media))
        tokenizer = self.processor.tokenizer
        steps = generate(
            self.model,
            batch,
            max_new_tokens=max_new_tokens,
            stop_ids=tokenizer.stop_ids,
            pad_id=tokenizer.pad_id,
            temperature=temperature,
            top_p=top_p,
            generator=None if seed is None else _generator(self._device, seed),
            feature_cache=self._fresh_features(),
        )
        pieces = text_pieces((int(ids) for ids in steps), tokenizer.decode)
        reply = Reply(pieces, batch.media, first_frame=self.processor.first_frame)
        return reply if stream else reply.text

    def save(
        self,
        directory: str | Path,
        *,
        overwrite: bool = False,
        trained_by: str | None = None,
    ) -> Path:
        """Writes a directory that ``load`` reads, whole or not at all.

        Args:
            directory: Where to; new, empty, or a variant of ours with ``overwrite``.
            overwrite: Replace the variant that is there.
            trained_by: What made the weights what they are now (``make train-tiny``), for the
                receipt; None keeps the origins they were assembled with, and so does a part that
                is frozen as a whole.

        Returns:
            The directory.

        Raises:
            UsageError: something stands there, or the variant has no weights.
            CheckpointError: a weight is not finite, or the disk refuses.
        """
        self._require_weights("save")
        target = expanded(directory_path(directory))
        check_writable(target, overwrite=overwrite)
        tensors = self._tensors_to_save(target)
        receipt = self.receipt
        if trained_by is not None:
            receipt = self._trained(tensors, trained_by)
        try:
            with atomic_directory(target) as staging:
                lock = self._write(VariantWriter(staging), tensors, receipt)
        except WRITE_ERRORS as error:
            raise CheckpointError(
                f"The variant cannot be saved: {error}.",
                where=str(target),
                expected="a disk with room that may be written to",
                fix="save to another directory; what was there before is untouched",
            ) from error
        self.lock, self.receipt = lock, receipt
        return target

    def export(
        self, directory: str | Path, *, format: ExportFormat = "hf", overwrite: bool = False
    ) -> Exported:
        """Writes a directory that PerceptionLM's other readers load, whole or not at all.

        Args:
            directory: Where to; new, empty, or an earlier export with ``overwrite``.
            format: ``hf`` for transformers, ``original`` for PerceptionLM's own code.
            overwrite: Replace the export that is there.

        Returns:
            What was written, and what the format has no place for.

        Raises:
            ExportError: the format cannot express this composition; every reason at once.
            UsageError: something stands there, no such format, or the variant has no weights.
            CheckpointError: a weight is not finite, or the disk refuses.
        """
        self._require_weights("export")
        target = expanded(directory_path(directory))
        check_exportable(target, overwrite=overwrite)
        tokenizer = self._processor
        export = prepared_export(
            self._tree,
            tokenizer if isinstance(tokenizer, PlmError) else tokenizer.tokenizer,
            format,
            dtype_name(next(self.model.parameters()).dtype),
        )
        return write_export(export, self._tensors_to_save(target), target, overwrite=overwrite)

    @property
    def _device(self) -> torch.device:
        return next(self.model.parameters()).device

    def _require_weights(self, verb: str) -> None:
        if any(parameter.is_meta for parameter in self.model.parameters()):
            raise UsageError(
                f"There are no weights to {verb} with: this variant was assembled on meta.",
                where="init='meta'",
                expected="a variant with weights",
                fix="assemble it with init='random', or from a spec that names weights",
            )

    def _fresh_features(self) -> FeatureCache:
        """The cache of features, emptied where the weights that made them have changed."""
        seen = _fingerprint(self.model)
        if seen != self._weights_seen:
            self.features.clear()
            self._weights_seen = seen
        return self.features

    def _tensors_to_save(self, target: Path) -> dict[str, Tensor]:
        tensors = {
            name: tensor.detach().contiguous()
            for name, tensor in tensors_of(self.model).tensors.items()
        }
        parameters = {name for name, _ in self.model.named_parameters()}
        bad = first_nonfinite((name, t) for name, t in tensors.items() if name in parameters)
        if bad:
            raise CheckpointError(
                f"{len(bad)} tensors hold NaN or infinity: {first_few(bad)}.",
                where=str(target),
                expected="finite weights; what was saved before is untouched",
                fix="go back to an earlier checkpoint: the run has diverged",
            )
        return tensors

    def _trained(self, tensors: Mapping[str, Tensor], trained_by: str) -> Receipt:
        """The receipt after training; a part whose parameters are all frozen keeps its lines."""
        moving = {n.partition(".")[0] for n, p in self.model.named_parameters() if p.requires_grad}
        lines = receipt_of(tensors, trained_by).lines
        kept = [line for line in self.receipt.lines if line.part not in moving]
        return receipt_from([*kept, *(line for line in lines if line.part in moving)])

    def _write(
        self, writer: VariantWriter, tensors: Mapping[str, Tensor], receipt: Receipt
    ) -> Lock:
        data = without_part_weights(with_files_copied(self._tree, writer))
        written = writer.tensors(tensors)
        weights = LockedWeights(
            written.sha256,
            written.num_bytes,
            written.num_tensors,
            dtype_name(next(self.model.parameters()).dtype),
            receipt,
        )
        lock = self.lock.with_weights(weights)
        saved = lock_as_saved(lock, data)
        writer.texts(spec=dump_yaml({**data, "weights": "plm:."}), lock=saved.to_json())
        return lock


def _fingerprint(model: PerceptionLM) -> object:
    """Changes when the weights that make features do, in place or not.

    Never the same twice for weights made under ``torch.inference_mode``, which count no writes.
    """
    names = ("vision_encoder.", "projector.")
    watched = [p for name, p in model.named_parameters() if name.startswith(names)]
    if any(p.is_inference() for p in watched):
        return object()
    first = torch.stack([p.detach().reshape(-1)[0].float() for p in watched if p.numel()])
    return [(id(p), p._version) for p in watched], first.tolist()


def _generator(device: torch.device, seed: int) -> torch.Generator:
    try:
        return torch.Generator(device).manual_seed(seed)
    except (ValueError, TypeError, RuntimeError, OverflowError) as error:
        raise UsageError(
            f"{seed!r} is no seed.",
            where="seed",
            expected="a whole number of at most 64 bits",
            fix="choose another seed, or leave it out",
        ) from error


def directory_path(path: str | Path) -> Path:
    """A path that is one, whether or not anything is there.

    Raises:
        UsageError: it is none.
    """
    require_path(path)
    if "\0" in str(path):
        raise UsageError(
            "The directory's name holds a NUL character.",
            where=repr(str(path)),
            expected="a path",
            fix="choose another directory",
        )
    return Path(path)


def require_path(path: object) -> None:
    """Refuses what is no path at all.

    Raises:
        UsageError: it is neither text nor a path.
    """
    if not isinstance(path, str | PathLike):
        raise UsageError(
            f"A value of type {type(path).__name__} is no directory.",
            where="directory",
            expected="a path: text, or pathlib.Path",
            fix='name one, such as "mine"',
        )
