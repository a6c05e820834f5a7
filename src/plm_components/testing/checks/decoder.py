"""What decoders promise: shapes, causality, and a cache that changes nothing but the time."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from plm_components.contracts import CausalCached, Mask
from plm_components.testing.checks.modules import close, gap
from plm_components.testing.checks.sequences import Run, probe_causality, probe_documents
from plm_components.testing.checks.stimuli import decode, noise, positions, token_ids
from plm_components.testing.outcome import expect
from plm_components.testing.roster import check
from plm_components.testing.subject import Subject


@check("decoder")
def shape_law(subject: Subject) -> None:
    """Ids give (B, L, width), hidden states the same, logits (B, L, vocab_size)."""
    part = subject.build_random()
    for rows, length in ((1, 1), (2, 7), (3, 2)):
        x = part.embed(token_ids(subject, part, rows, length))
        hidden = decode(part, x)
        logits = part.logits(hidden)
        for name, tensor, last in (
            ("embed", x, part.width),
            ("forward", hidden, part.width),
            ("logits", logits, part.vocab_size),
        ):
            want = (rows, length, last)
            expect(tuple(tensor.shape) == want, f"{name}: {tuple(tensor.shape)}, not {want}")


@check("decoder")
def causal(subject: Subject) -> None:
    """No position sees the future, and every position sees the past."""
    part = subject.build_random()
    probe_causality(_run(part), part.width, subject.device)


@check("decoder")
def documents_apart(subject: Subject) -> None:
    """Packed documents do not see one another."""
    part = subject.build_random()
    probe_documents(_run(part), part.width, subject.device)


@check("decoder")
def logits_alone(subject: Subject) -> None:
    """Logits of one position need no other position."""
    part = subject.build_random()
    hidden = noise(2, 5, part.width, device=subject.device)
    every, last = part.logits(hidden)[:, -1:], part.logits(hidden[:, -1:])
    expect(
        close(last, every), f"logits of the last position alone differ by {gap(last, every):.3g}"
    )


@check("decoder")
def cache_equals_no_cache(subject: Subject) -> None:
    """A prompt and then token after token through a cache give what one call gives without."""
    part = subject.build_random()
    x = part.embed(token_ids(subject, part, 2, 9))
    whole = decode(part, x)
    cache = _cache(subject, part, 2)
    pieces = [_step(part, x[:, start:end], cache) for start, end in ((0, 5), (5, 6), (6, 9))]
    stepped = torch.cat(pieces, 1)
    expect(
        close(stepped, whole), f"with a cache the hidden states differ by {gap(stepped, whole):.3g}"
    )


@check("decoder")
def cache_ragged_rows(subject: Subject) -> None:
    """Rows of different lengths, right-padded into one cache, continue as each would alone."""
    part = subject.build_random()
    lengths = [6, 2, 4]
    ids, more = token_ids(subject, part, 3, 6), token_ids(subject, part, 3, 2, seed=1)
    cache = _cache(subject, part, 3)
    _step(part, part.embed(ids), cache)
    cache.truncate(torch.tensor(lengths, device=subject.device))
    steps = [_step(part, part.embed(more[:, i : i + 1]), cache) for i in range(2)]
    together = torch.cat(steps, 1)
    for row, length in enumerate(lengths):
        alone = torch.cat([ids[row : row + 1, :length], more[row : row + 1]], 1)
        want = decode(part, part.embed(alone))[0, length:]
        expect(
            close(together[row], want),
            f"row {row} of length {length} differs by {gap(together[row], want):.3g}",
        )


@check("decoder")
def cache_truncates(subject: Subject) -> None:
    """After truncate(n) it goes on as if only n positions had been seen."""
    part = subject.build_random()
    ids, other = token_ids(subject, part, 2, 8), token_ids(subject, part, 2, 3, seed=1)
    cache = _cache(subject, part, 2)
    _step(part, part.embed(ids), cache)
    cache.truncate(4)
    expect(
        cache.lengths_B.tolist() == [4, 4], f"lengths_B is {cache.lengths_B.tolist()}, not [4, 4]"
    )
    got = _step(part, part.embed(other), cache)
    want = decode(part, part.embed(torch.cat([ids[:, :4], other], 1)))[:, 4:]
    expect(close(got, want), f"after truncate(4) the next tokens differ by {gap(got, want):.3g}")


@check("decoder")
def cache_selects_rows(subject: Subject) -> None:
    """select(rows) keeps these rows in this order, repeated ones too."""
    part = subject.build_random()
    ids, more = token_ids(subject, part, 3, 5), token_ids(subject, part, 3, 1, seed=1)
    rows = torch.tensor([2, 0, 2], device=subject.device)
    cache = _cache(subject, part, 3)
    _step(part, part.embed(ids), cache)
    cache.select(rows)
    got = _step(part, part.embed(more), cache)
    want = decode(part, part.embed(torch.cat([ids[rows], more], 1)))[:, 5:]
    expect(
        close(got, want), f"after select([2, 0, 2]) the next token differs by {gap(got, want):.3g}"
    )


@check("decoder")
def cache_counts(subject: Subject) -> None:
    """lengths_B moves by what was written, and nbytes grows with max_len."""
    part = subject.build_random()
    cache = _cache(subject, part, 2)
    expect(
        cache.lengths_B.tolist() == [0, 0], f"a new cache has lengths {cache.lengths_B.tolist()}"
    )
    _step(part, part.embed(token_ids(subject, part, 2, 5)), cache)
    expect(cache.lengths_B.tolist() == [5, 5], f"after 5 positions {cache.lengths_B.tolist()}")
    expect(cache.nbytes > 0, f"holds 5 positions in {cache.nbytes} bytes")


@check("decoder")
def positions_count(subject: Subject) -> None:
    """The distance between two tokens matters, as positions_BL gives it."""
    part = subject.build_random()
    x = part.embed(token_ids(subject, part, 1, 4))
    steady = torch.tensor([[0, 1, 2, 3]], device=subject.device)
    spread = torch.tensor([[0, 2, 5, 8]], device=subject.device)
    near, far = decode(part, x, positions_BL=steady), decode(part, x, positions_BL=spread)
    expect(gap(near, far) > 1e-6, "positions_BL changes nothing")


def _run(part: Any) -> Run:
    def run(x_BLD: Tensor, mask: Mask, positions_BL: Tensor) -> Tensor:
        return decode(part, x_BLD, mask=mask, positions_BL=positions_BL)

    return run


def _cache(subject: Subject, part: Any, rows: int, max_len: int = 12) -> Any:
    return part.new_cache(rows, max_len, torch.float32, subject.device)


def _step(part: Any, x_BLD: Tensor, cache: Any) -> Tensor:
    """New positions behind each row's valid length."""
    lengths_B = cache.lengths_B.clone()
    where = positions(x_BLD) + lengths_B[:, None]
    mask = CausalCached(lengths_B)
    return part(x_BLD, positions_BL=where, mask=mask, cache=cache)  # type: ignore[no-any-return]
