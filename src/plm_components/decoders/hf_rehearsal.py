"""Before a transformers model is used as a decoder, a small copy of it must prove that it can be.

On two random layers of the same architecture: embed, layers and head taken apart give the model's
own logits; so do an explicit mask, a ragged cache, and a model built on meta.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from transformers import PretrainedConfig
from transformers.utils import logging

from plm_components.contracts import Causal, CausalCached, Documents
from plm_components.decoders import hf_calls
from plm_components.decoders.hf_cache import HFCache
from plm_components.decoders.hf_config import small_copy
from plm_components.decoders.hf_masks import Style, styles_of
from plm_components.errors import ContractError, PlmError
from plm_components.seeding import seeded

_LENGTH = 8
_TOLERANCE = 1e-4
_PASSED: dict[str, Style] = {}


def rehearse(config: PretrainedConfig, implementation: str) -> Style:
    """How the model wants its masks.

    Raises:
        ContractError: no way of calling it gives the model's own logits; says at which step.
    """
    key = json.dumps([implementation, config.to_dict()], sort_keys=True, default=str)
    if key not in _PASSED:
        _PASSED[key] = _rehearse(config, implementation)
    return _PASSED[key]


def _rehearse(config: PretrainedConfig, implementation: str) -> Style:
    reasons = []
    # on the CPU in fp32 whatever the caller builds on, and without touching his random numbers
    with torch.device("cpu"), _fp32(), seeded(0), torch.no_grad(), _quiet():
        model, own, ids = _copies(config, implementation)
        for style in styles_of(config):
            reason = _first_failure(model, style, ids, own)
            if reason is None:
                return style
            reasons.append(reason)
    raise _refused(config, implementation, reasons[0])


@contextmanager
def _fp32() -> Iterator[None]:
    """Where a decoder is built in bfloat16, that is what new tensors of anybody are in."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def _quiet() -> Iterator[None]:
    """What transformers has to say about the sizes of the copy concerns nobody."""
    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)


def _copies(config: PretrainedConfig, implementation: str) -> tuple[Any, Tensor, Tensor]:
    """A small model, its own logits (computed eagerly), and the ids they are of."""
    try:
        model = hf_calls.build_model(small_copy(config), implementation).float()
        eager = hf_calls.build_model(small_copy(config), "eager").float()
        for parameter in model.parameters():
            # large enough that a missing scale or cap shows
            parameter.normal_(1.0 if parameter.dim() < 2 else 0.0, 0.3)
        eager.load_state_dict(model.state_dict())
        ids = torch.randint(0, 64, (2, _LENGTH))
        return model, eager(input_ids=ids).logits, ids
    except PlmError:
        raise
    # third-party code on a configuration its authors never tried: whatever it raises is the answer
    except Exception as error:
        raise _refused(config, implementation, f"a small copy does not run: {error}") from error


def _first_failure(model: Any, style: Style, ids: Tensor, own: Tensor) -> str | None:
    steps: tuple[tuple[str, Callable[..., Tensor]], ...] = (
        ("embed, layers and head taken apart", _plain),
        ("an explicit mask", _documents),
        ("a cache with rows of different length", _cached),
        ("buffers remade after a build on meta", _from_meta),
    )
    for name, step in steps:
        try:
            found = step(model, style, ids)
        except Exception as error:
            return f"{name}: {' '.join(str(error).split()) or type(error).__name__}"
        if not torch.allclose(found, own, rtol=0, atol=_TOLERANCE * float(own.abs().max())):
            return f"{name}: logits differ by {float((found - own).abs().max()):.2g}"
    return None


def _positions(ids: Tensor) -> Tensor:
    return torch.arange(ids.shape[1]).expand(len(ids), -1)


def _plain(model: Any, style: Style, ids: Tensor) -> Tensor:
    x_BLD = hf_calls.embed(model, ids)
    out = hf_calls.hidden(model, style, x_BLD, _positions(ids), Causal(), None)
    return hf_calls.logits(model, out)


def _documents(model: Any, style: Style, ids: Tensor) -> Tensor:
    """Each row twice, packed as two documents: the second must not see the first."""
    x_BLD = hf_calls.embed(model, torch.cat((ids, ids), dim=1))
    mask = Documents(torch.tensor([0, _LENGTH, 2 * _LENGTH]))
    positions_BL = torch.cat((_positions(ids), _positions(ids)), dim=1)
    out = hf_calls.hidden(model, style, x_BLD, positions_BL, mask, None)
    return hf_calls.logits(model, out[:, _LENGTH:])


def _cached(model: Any, style: Style, ids: Tensor) -> Tensor:
    """One row remembered to 5, the other to 3, then both three further; the rest is prefill."""
    cache = HFCache(len(ids), _LENGTH + 3, "cpu")
    kept_B = torch.tensor([5, 3])
    x_BLD = hf_calls.embed(model, ids)
    first = hf_calls.hidden(model, style, x_BLD, _positions(ids), Causal(), cache)
    cache.truncate(kept_B)
    index_B3 = kept_B[:, None] + torch.arange(3)
    rows_B1 = torch.arange(2)[:, None]
    mask = CausalCached(cache.lengths_B)
    first[rows_B1, index_B3] = hf_calls.hidden(
        model, style, x_BLD[rows_B1, index_B3], index_B3, mask, cache
    )
    return hf_calls.logits(model, first)


def _from_meta(model: Any, style: Style, ids: Tensor) -> Tensor:
    with torch.device("meta"):
        again = hf_calls.build_model(model.config, model.config._attn_implementation)
    again = again.to_empty(device="cpu")
    for name, buffer in again.named_buffers():
        persistent = name in model.state_dict()
        if buffer.is_floating_point() and not persistent:
            buffer.fill_(float("nan"))
    hf_calls.remake_buffers(again)
    again.load_state_dict(model.state_dict())
    return _plain(again, style, ids)


def _refused(config: PretrainedConfig, implementation: str, reason: str) -> ContractError:
    return ContractError(
        f"{config.model_type} cannot be used as a decoder: {reason}.",
        where=f"decoder/hf, rehearsal on a small random copy ({implementation} attention)",
        expected="logits(forward(embed(ids))) equal to the model's own logits",
        fix="choose another model, or attention_implementation=eager if it was set to sdpa",
    )
