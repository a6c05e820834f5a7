"""One run of the recipe: the model, its optimizers, and what a step does."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from plm_components.contracts import MediaKind, Tokenizer
from plm_components.errors import CheckpointError
from plm_components.model import PerceptionLM
from plm_components.training.attention import use_training_attention
from plm_components.training.batches import BatchMaker, TrainingBatch
from plm_components.training.crew import Crew
from plm_components.training.grounding import Grounding
from plm_components.training.layout import Rows
from plm_components.training.master import MasterWeights
from plm_components.training.narration import Narration
from plm_components.training.schedule import Recipe

# training stays below, held-out scenes begin at 12e9
DEVELOPMENT_SEEDS = 5_000_000_000
_DTYPE = torch.bfloat16


class TinyRun:
    """A model that learns, step by step.

    Args:
        recipe: What to do.
        model: With fresh weights, on the CPU; becomes bf16.
        tokenizer: Its tokenizer.
        crew: The processes that share the work; every one holds the same weights.
    """

    def __init__(
        self, recipe: Recipe, model: PerceptionLM, tokenizer: Tokenizer, crew: Crew | None = None
    ) -> None:
        self.recipe, self.step, self._crew = recipe, 0, crew or Crew()
        self.model = model.train()
        use_training_attention(model)
        model.to(_DTYPE)
        blocks: Any = model.decoder
        middle: nn.Module = blocks.layers[len(blocks.layers) // 2 - 1]
        middle.register_forward_hook(self._keep_middle)
        self._grounding, self._narration = Grounding(tokenizer), Narration(tokenizer)
        self._master = MasterWeights(
            model,
            weight_decay=recipe.weight_decay,
            clip=recipe.clip,
            crew=self._crew,
        )
        tile, side = model.vision_encoder.image_size, round(model.tokens_per_tile() ** 0.5)
        self._makers: dict[MediaKind, BatchMaker] = {
            "image": BatchMaker(tokenizer, "image", tile, side, recipe.image_questions),
            "video": BatchMaker(tokenizer, "video", tile, side, recipe.video_questions),
        }

    def train_step(self) -> dict[str, float]:
        """One update; the losses before it."""
        work = self.recipe.work(self.step)
        batch = self._makers["video" if work == "video" else "image"].make(
            self._crew.share(self.recipe.scene_seeds(self.step)), asks=work != "sight"
        )
        features_TMD = self._features(batch, learn_to_see=work != "video")
        places = self._grounding.loss(self.model.decoder, features_TMD, batch.grounding_TMG)
        losses, loss = {"places": places}, places
        if batch.rows is not None:
            hidden_BLD = self._hidden(batch.rows, features_TMD)
            answers = F.cross_entropy(self._logits(batch.rows, hidden_BLD), batch.rows.targets_K)
            losses["answers"], loss = answers, answers + self.recipe.grounding * places
            if batch.narration_BP2 is not None:
                told = self._narrated(batch.narration_BP2, batch.media_start)
                losses["narration"], loss = told, loss + self.recipe.narration * told
        torch.autograd.backward(loss)
        eyes = 1.0 if work == "sight" else self.recipe.eyes
        self._master.step(self.recipe.learning_rate(self.step), eyes=eyes)
        self.step += 1
        return {f"{work} {name}": float(value.detach()) for name, value in losses.items()}

    def _features(self, batch: TrainingBatch, *, learn_to_see: bool) -> Tensor:
        """``(T, M, D)``; a clip's eight frames cost too much to teach the encoder anything new."""
        pixels_T3SS = batch.pixels(_DTYPE)
        if learn_to_see:
            return self.model.encode(pixels_T3SS)
        encoder = self.model.vision_encoder
        with torch.no_grad():
            tokens_TNC = encoder.forward(pixels_T3SS)
        return self.model.projector.forward(tokens_TNC, encoder.grid(*pixels_T3SS.shape[-2:]))

    def _hidden(self, rows: Rows, features_TMD: Tensor) -> Tensor:
        return self.model.hidden(
            rows.input_ids_BL, features_TMD, mask=rows.mask, positions_BL=rows.positions_BL
        )

    def _keep_middle(self, block: nn.Module, given: Any, hidden_BLD: Tensor) -> None:
        """A question can only look up what the middle of the decoder already knows."""
        self._middle_BLD = hidden_BLD

    def _narrated(self, labels_BP2: Tensor, start: int) -> Tensor:
        media_BPD = self._middle_BLD[:, start : start + labels_BP2.shape[1]]
        return self._narration.loss(self.model.decoder, media_BPD, labels_BP2)

    def _logits(self, rows: Rows, hidden_BLD: Tensor) -> Tensor:
        """fp32 logits at the places that predict an answer, ``(K, V)``."""
        hidden_KD = hidden_BLD.flatten(0, 1)[rows.predicts_K]
        return self.model.decoder.logits(hidden_KD).float()

    @torch.no_grad()
    def check(self, kind: MediaKind, num_scenes: int) -> dict[str, float]:
        """Share of answers right in every token, by type and in all, on development scenes."""
        right: dict[str, list[bool]] = defaultdict(list)
        for start in range(0, num_scenes, 32):
            seeds = range(
                DEVELOPMENT_SEEDS + start, DEVELOPMENT_SEEDS + min(start + 32, num_scenes)
            )
            batch = self._makers[kind].make(seeds)
            for name, is_right in self._marked(batch):
                right[name].append(is_right)
                right["all"].append(is_right)
        return {name: sum(hits) / len(hits) for name, hits in sorted(right.items())}

    def _marked(self, batch: TrainingBatch) -> list[tuple[str, bool]]:
        rows = batch.rows
        if rows is None:
            return []
        hidden_BLD = self._hidden(rows, self.model.encode(batch.pixels(_DTYPE)))
        logits_KV = self._logits(rows, hidden_BLD)
        missed_K = (logits_KV.argmax(-1) != rows.targets_K).long()
        misses = torch.zeros(len(rows.types), dtype=torch.long)
        misses.index_add_(0, rows.turn_K, missed_K)
        return [(name, count == 0) for name, count in zip(rows.types, misses.tolist(), strict=True)]

    def save(self, path: Path) -> None:
        """Writes the state of the run, whole or not at all; the whole crew has to call it."""
        state: dict[str, Any] = {"step": self.step, "recipe": asdict(self.recipe)}
        state |= self._master.state_dict()
        if self._crew.rank > 0:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        torch.save(state, partial)
        os.replace(partial, path)

    def resume(self, path: Path) -> None:
        """Continues a saved run.

        Raises:
            CheckpointError: there is none, or it followed another recipe.
        """
        if not path.is_file():
            raise CheckpointError(
                "There is no run to resume.",
                where=str(path),
                expected="the state that a stopped run left",
                fix="leave --resume out to begin a new run, or set --out to the run's folder",
            )
        state = torch.load(path, weights_only=True)
        if state["recipe"] != asdict(self.recipe):
            raise CheckpointError(
                "The run that was stopped followed another recipe.",
                where=str(path),
                expected=f"recipe {asdict(self.recipe)}",
                fix="leave --resume out to begin a new run",
            )
        self.step = state["step"]
        self._master.load_state_dict(state)


def seeds_used(recipe: Recipe) -> Sequence[range]:
    """Scene seeds of every step, for tests that training never sees held-out scenes."""
    return [recipe.scene_seeds(step) for step in range(recipe.num_steps)]
