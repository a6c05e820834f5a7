"""Any causal language model of transformers, once it has proved that it can be taken apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Generator, Tensor, nn
from transformers import PretrainedConfig

from plm_components.contracts import CheckpointHeader, Mask, Reading
from plm_components.decoders import hf_calls
from plm_components.decoders.hf_cache import HFCache
from plm_components.decoders.hf_config import read_config
from plm_components.decoders.hf_files import read_causal_lm
from plm_components.decoders.hf_rehearsal import rehearse
from plm_components.errors import ContractError
from plm_components.seeding import seeded


class HFDecoder(nn.Module):
    """Wraps an ``AutoModelForCausalLM``; remote code is never run.

    Only the architecture comes from ``path`` or ``config``: weights are loaded like any part's.
    Features written over embeddings meet whatever the model does to ``inputs_embeds`` (Granite
    multiplies them), as in transformers' own vision-language models.

    Args:
        path: Directory with a config.json, or a hub id.
        config: The configuration itself, ``{model_type: qwen3, hidden_size: ...}``.
        attention_implementation: transformers' attention; None takes sdpa where the architecture
            supports it and eager elsewhere (attention soft caps).
        max_positions: Longest request; the configuration's ``max_position_embeddings`` when None.

    Shapes:
        x_BLD ``(B, L, D)`` -> hidden ``(B, L, D)`` -> logits ``(B, L, V)``.

    Raises:
        ContractError: not exactly one of path and config, a key the model does not know, no
            position, or a model that, taken apart, does not give its own logits.
    """

    __plm_kind__: ClassVar[str] = "decoder"

    def __init__(
        self,
        *,
        path: str | None = None,
        config: dict[str, Any] | None = None,
        attention_implementation: Literal["sdpa", "eager"] | None = None,
        max_positions: int | None = None,
    ) -> None:
        super().__init__()
        found = read_config(path, config)
        implementation = attention_implementation or hf_calls.best_implementation(found)
        self._style = rehearse(found, implementation)
        self.model: Any = hf_calls.build_model(found, implementation)
        self.width: int = found.hidden_size
        self.vocab_size: int = found.vocab_size
        self.max_positions = _max_positions(found) if max_positions is None else max_positions
        if self.max_positions < 1:
            raise _no_room(self.max_positions)
        # a cast of the model must not round rotary frequencies: their dtypes are remembered
        self._buffer_dtypes = {name: buffer.dtype for name, buffer in self.model.named_buffers()}
        self._hide_tied_weights()

    @classmethod
    def local_files(cls, **options: object) -> dict[str, list[Path]]:
        """The config.json of a directory here; a hub id names none."""
        config = Path(str(options.get("path") or "")).expanduser() / "config.json"
        return {"path": [config]} if options.get("path") and config.is_file() else {}

    def embed(self, input_ids_BL: Tensor) -> Tensor:
        """``(B, L)`` int -> ``(B, L, D)``."""
        return hf_calls.embed(self.model, input_ids_BL)

    def forward(
        self, x_BLD: Tensor, *, positions_BL: Tensor, mask: Mask, cache: HFCache | None = None
    ) -> Tensor:
        """``(B, L, D)`` -> hidden states ``(B, L, D)``, the final norm applied."""
        return hf_calls.hidden(self.model, self._style, x_BLD, positions_BL, mask, cache)

    def logits(self, hidden_BLD: Tensor) -> Tensor:
        """``(B, L, D)`` -> ``(B, L, V)``, scaled and capped as the model does."""
        return hf_calls.logits(self.model, hidden_BLD)

    def new_cache(
        self, batch: int, max_len: int, dtype: torch.dtype, device: torch.device | str
    ) -> HFCache:
        """An empty cache; it takes the dtype of the first keys, which is the model's."""
        return HFCache(batch, max_len, device)

    def reading(self, header: CheckpointHeader) -> Reading:
        """Directories of transformers of the same architecture and sizes.

        Raises:
            CheckpointError: another architecture, or other sizes.
        """
        return read_causal_lm(self.model, header)

    def init_buffers(self) -> None:
        """Recomputes every non-persistent buffer and ties what is tied, after ``to_empty``."""
        hf_calls.remake_buffers(self.model)

    def init_weights(self, generator: Generator | None = None) -> None:
        """As the model's authors do, from a seed drawn from ``generator``."""
        seed = torch.randint(0, 2**62, (1,), generator=generator, device="cpu")
        with seeded(int(seed), next(self.model.parameters()).device):
            hf_calls.randomise(self.model)

    def _hide_tied_weights(self) -> None:
        """State dicts hold a tied weight once, as transformers' own files do."""
        tied = dict(self.model.all_tied_weights_keys)

        def drop(module: nn.Module, state: dict[str, Any], prefix: str, _: Any) -> None:
            for target in tied:
                state.pop(f"{prefix}model.{target}", None)

        def fill(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
            for target, source in tied.items():
                if f"{prefix}model.{source}" in state:
                    state.setdefault(f"{prefix}model.{target}", state[f"{prefix}model.{source}"])

        self.register_state_dict_post_hook(drop)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_pre_hook(fill)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_post_hook(lambda *_: self.model.tie_weights())  # type: ignore[no-untyped-call]

    def _apply(self, fn, recurse=True):  # type: ignore[no-untyped-def]
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        if self._restore_dtypes():
            self.init_buffers()
        return self

    def _restore_dtypes(self) -> bool:
        """Whether a buffer had been cast and has its old dtype again, its content lost."""
        changed = False
        for name, dtype in self._buffer_dtypes.items():
            owner_name, _, leaf = name.rpartition(".")
            owner = self.model.get_submodule(owner_name)
            buffer = getattr(owner, leaf)
            if leaf in owner._non_persistent_buffers_set and buffer.dtype != dtype:
                setattr(owner, leaf, buffer.to(dtype))
                changed = True
        return changed


def _no_room(max_positions: int) -> ContractError:
    return ContractError(
        f"A decoder of {max_positions} positions holds no token.",
        where="decoder/hf, max_positions",
        expected="1 or more, or null for what the configuration says",
        fix="delete decoder.max_positions",
    )


def _max_positions(config: PretrainedConfig) -> int:
    found = getattr(config, "max_position_embeddings", None)
    if isinstance(found, int):
        return found
    raise ContractError(
        f"The configuration of {config.model_type} names no max_position_embeddings.",
        where="decoder/hf, max_positions",
        expected="the longest request the model was made for",
        fix="set decoder.max_positions",
    )
