"""What attention kernels promise: right within a budget, blind where masked, honest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from plm_components.contracts import (
    AttentionSupport,
    Causal,
    CausalCached,
    Documents,
    Full,
    Mask,
)
from plm_components.errors import UnsupportedError
from plm_components.testing.checks.modules import close, gap
from plm_components.testing.checks.stimuli import noise
from plm_components.testing.oracles import (
    attention_oracle,
    budget_fault,
    fast_fault,
    plain_attention,
    score_rounding,
)
from plm_components.testing.outcome import Broken, NotApplicable, expect
from plm_components.testing.roster import check
from plm_components.testing.subject import Subject, elsewhere

_ROWS = 3
_HALF = (torch.bfloat16, torch.float16)


class Call(NamedTuple):
    """One mask and the lengths it is asked with."""

    name: str
    mask: Mask
    num_queries: int
    num_keys: int

    def on(self, device: torch.device | str) -> Call:
        """The same call with the mask's own tensors on a device."""
        return self._replace(mask=_moved(self.mask, device))


class QKV(NamedTuple):
    """``(B, H, L, h)``, ``(B, G, S, h)``, ``(B, G, S, h)``."""

    q: Tensor
    k: Tensor
    v: Tensor


# odd lengths, one query, rows filled to different lengths, a document of one token
CALLS = (
    Call("full", Full(), 19, 19),
    Call("full, more keys", Full(), 5, 33),
    Call("causal", Causal(), 19, 19),
    Call("causal, one position", Causal(), 1, 1),
    Call("documents", Documents(torch.tensor([0, 5, 6, 19])), 19, 19),
    Call("documents behind a prefix", Documents(torch.tensor([4, 9, 19]), shared_prefix=4), 19, 19),
    Call("one query behind a cache", CausalCached(torch.tensor([0, 7, 12])), 1, 13),
    Call("one query, even cache", CausalCached(torch.tensor([12, 12, 12])), 1, 13),
    Call("queries behind a cache", CausalCached(torch.tensor([2, 0, 9])), 5, 14),
)


@check("attention")
def support_declared(subject: Subject) -> None:
    """The limits are declared as an AttentionSupport, and the heads it was built with are kept."""
    support = subject.cls.support
    expect(isinstance(support, AttentionSupport), f"support is {support!r}")
    known = {Full, Causal, Documents, CausalCached}
    expect(bool(support.masks) and support.masks <= known, f"masks are {support.masks}")
    for shared in (4, 2) if support.gqa else (4,):
        part, want = _build(subject, shared), (4, shared, _head_dim(subject))
        heads = (part.num_heads, part.num_kv_heads, part.head_dim)
        expect(heads == want, f"built with {want}, has {heads}")


@check("attention")
def agrees_with_float64(subject: Subject) -> None:
    """On every mask, dtype and grouping it declares, within twice the plain kernel's own error."""
    for call, part, dtype in _declared(subject):
        # large queries too: scores in the hundreds, where a careless exponential overflows
        for scale in (1.0, 8.0):
            x = _inputs(subject, part, call, dtype, scale)
            exact = attention_oracle(*x, call.mask)
            plain = plain_attention(*x, call.mask)
            fault = _fault(
                _support(subject).precision,
                part(*x, call.mask),
                exact,
                plain,
                rounding=score_rounding(x.q, x.k),
            )
            expect(fault is None, f"{_where(call, part, dtype)}, queries x{scale:g}: {fault}")


@check("attention")
def gradients_agree(subject: Subject) -> None:
    """Where backward is declared, gradients are within twice the plain kernel's own error.

    Fast ones go the same way as float64's.
    """
    if _device(subject) not in _support(subject).backward:
        raise NotApplicable(f"declares no backward on {_device(subject)}")
    for call, part, dtype in _declared(subject):
        if call.num_keys == 1:
            continue  # exactly zero: nothing to be a multiple of
        x = _inputs(subject, part, call, dtype)
        weights = noise(*x.q.shape, seed=9, device=subject.device)
        exact = _gradients(attention_oracle, QKV(*(t.double() for t in x)), call, weights)
        plain = _gradients(plain_attention, x, call, weights)
        got = _gradients(part, x, call, weights)
        for name, one, other, own in zip("qkv", got, exact, plain, strict=True):
            fault = _fault(_support(subject).gradient_precision, one, other, own)
            expect(fault is None, f"{_where(call, part, dtype)}, gradient of {name}: {fault}")


@check("attention")
def causality_probe(subject: Subject) -> None:
    """Keys that a mask hides may hold anything: the output does not move."""
    for call, part, dtype in _declared(subject):
        x = _inputs(subject, part, call, dtype)
        allowed = call.mask.allowed(call.num_queries, call.num_keys, device=x.q.device)
        before = part(*x, call.mask)
        for query in {0, call.num_queries // 2, call.num_queries - 1}:
            hidden_BS = ~allowed[:, query].expand(_ROWS, -1)
            changed = QKV(x.q, _shout(x.k, hidden_BS), _shout(x.v, hidden_BS))
            after = part(*changed, call.mask)[:, :, query]
            moved = gap(after, before[:, :, query])
            seen = f"{_where(call, part, dtype)}: query {query} moves by {moved:.3g}"
            expect(close(after.float(), before[:, :, query].float(), 1e-5), seen)


@check("attention")
def document_probe(subject: Subject) -> None:
    """Packed documents give what each gives alone."""
    if Documents not in _support(subject).masks:
        raise NotApplicable("declares no Documents mask")
    call = CALLS[4].on(subject.device)
    for part in _parts(subject):
        x = _inputs(subject, part, call, _dtypes(subject)[0])
        packed = part(*x, call.mask)
        for start, end in ((0, 5), (5, 6), (6, 19)):
            mask = Documents(torch.tensor([0, end - start], device=subject.device))
            alone = part(*(t[:, :, start:end] for t in x), mask)
            got = packed[:, :, start:end]
            limit = 1e-4 if packed.dtype not in _HALF else 3e-2
            seen = f"positions {start}..{end - 1} differ by {gap(got, alone):.3g} from it alone"
            expect(close(got, alone, limit), seen)


@check("attention")
def refuses_the_rest(subject: Subject) -> None:
    """A mask, dtype, grouping, head size, device or gradient it does not declare is refused."""
    support = _support(subject)
    part = _build(subject, 4)
    dtype = _dtypes(subject)[0]
    calls = [call.on(subject.device) for call in CALLS]
    own = next(call for call in calls if type(call.mask) in support.masks)
    for call in calls:
        if type(call.mask) not in support.masks:
            x = _inputs(subject, part, call, dtype)
            _expect_refusal(part, call, x, f"a {call.name} mask")
    for other in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
        if other not in support.dtypes:
            _expect_refusal(part, own, _inputs(subject, part, own, other), str(other))
    if not support.gqa:
        _refuse_grouping(subject, own, dtype)
    x = _inputs(subject, part, own, dtype)
    if support.head_dims is not None:
        odd = max(support.head_dims) + 1
        wide = QKV(*(noise(*t.shape[:3], odd).to(t) for t in x))
        _expect_refusal(part, own, wide, f"head_dim {odd}")
    for device in ("cpu", "meta"):
        if device not in support.devices:
            moved = QKV(*(t.to(device) for t in x))
            _expect_refusal(part, own.on(device), moved, f"device {device}")
    if _device(subject) not in support.backward:
        leaves = QKV(*(t.requires_grad_() for t in x))
        with torch.enable_grad():
            _expect_refusal(part, own, leaves, f"gradients on {_device(subject)}")


@check("attention")
def shapes_on_meta(subject: Subject) -> None:
    """Where it declares the meta device it says the shape there, in the dtype of q."""
    if "meta" not in _support(subject).devices:
        raise NotApplicable("does not declare the meta device")
    for call in CALLS:
        if type(call.mask) not in _support(subject).masks:
            continue
        for part in _parts(subject):
            own = _inputs(subject, part, call, _dtypes(subject)[0])
            x = QKV(*(t.to("meta") for t in own))
            got = part(*x, call.mask)
            right = got.shape == x.q.shape and got.dtype == x.q.dtype and got.is_meta
            expect(right, f"{call.name}: {tuple(got.shape)} {got.dtype} on {got.device}")


@check("attention")
def dtype_kept(subject: Subject) -> None:
    """The output has the dtype of q, and the inputs are left as they were."""
    for call, part, dtype in _declared(subject):
        x = _inputs(subject, part, call, dtype)
        before = [t.clone() for t in x]
        got = part(*x, call.mask)
        expect(got.dtype == dtype, f"{_where(call, part, dtype)}: output in {got.dtype}")
        same = all(torch.equal(t, old) for t, old in zip(x, before, strict=True))
        expect(same, f"{_where(call, part, dtype)}: an input was written to")


@check("attention")
def deterministic(subject: Subject) -> None:
    """The same inputs give the same bits."""
    for call, part, dtype in _declared(subject):
        x = _inputs(subject, part, call, dtype)
        first, second = part(*x, call.mask), part(*x, call.mask)
        expect(torch.equal(first, second), f"{_where(call, part, dtype)}: two runs differ")


@check("attention")
def rows_do_not_mix(subject: Subject) -> None:
    """A row alone gives what it gives within a batch."""
    for call, part, dtype in _declared(subject):
        if isinstance(call.mask, CausalCached) or dtype in _HALF:
            continue
        x = _inputs(subject, part, call, dtype)
        alone = torch.cat([part(*(t[row : row + 1] for t in x), call.mask) for row in range(_ROWS)])
        together = part(*x, call.mask)
        expect(
            close(together, alone, 1e-5),
            f"{_where(call, part, dtype)}: {gap(together, alone):.3g} from each row alone",
        )


def runs(subject: Subject) -> Iterator[tuple[str, Callable[..., Tensor], QKV]]:
    """One call a mask, for who traces it."""
    part, dtype = _build(subject, 4), _dtypes(subject)[0]
    for call in (call.on(subject.device) for call in CALLS):
        if type(call.mask) in _support(subject).masks:
            yield call.name, partial(_under, part, call.mask), _inputs(subject, part, call, dtype)


def _under(part: Any, mask: Mask, q_BHLh: Tensor, k_BGSh: Tensor, v_BGSh: Tensor) -> Tensor:
    return part(q_BHLh, k_BGSh, v_BGSh, mask)  # type: ignore[no-any-return]


def _support(subject: Subject) -> AttentionSupport:
    support: AttentionSupport = subject.cls.support
    if _device(subject) not in support.devices:
        raise NotApplicable(elsewhere(support, subject.device))
    return support


def _device(subject: Subject) -> str:
    """As a part declares it: without an index."""
    return torch.device(subject.device).type


def _head_dim(subject: Subject) -> int:
    """Not a power of two where any size will do."""
    sizes = subject.cls.support.head_dims
    return min(sizes) if sizes else 24


def _build(subject: Subject, kv_heads: int) -> Any:
    return subject.build(num_heads=4, num_kv_heads=kv_heads, head_dim=_head_dim(subject))


def _parts(subject: Subject) -> list[Any]:
    """With each way to share key/value heads that is declared."""
    return [_build(subject, heads) for heads in ((2, 4, 1) if _support(subject).gqa else (4,))]


def _dtypes(subject: Subject) -> list[torch.dtype]:
    """fp32 first."""
    return sorted(_support(subject).dtypes, key=lambda dtype: (dtype != torch.float32, str(dtype)))


def _declared(subject: Subject) -> Iterator[tuple[Call, Any, torch.dtype]]:
    """Every mask with every dtype, and every mask with every grouping."""
    parts, dtypes = _parts(subject), _dtypes(subject)
    pairs = [(parts[0], dtype) for dtype in dtypes] + [(part, dtypes[0]) for part in parts[1:]]
    for part, dtype in pairs:
        for call in CALLS:
            if type(call.mask) in _support(subject).masks:
                yield call.on(subject.device), part, dtype


def _inputs(subject: Subject, part: Any, call: Call, dtype: torch.dtype, scale: float = 1.0) -> QKV:
    """Normals, a few of them ten times as large."""
    query = (_ROWS, part.num_heads, call.num_queries, part.head_dim)
    key = (_ROWS, part.num_kv_heads, call.num_keys, part.head_dim)
    tensors = [noise(*shape, seed=seed) for seed, shape in enumerate((query, key, key))]
    for tensor in tensors:
        tensor.view(-1)[::37] *= 10
    q, k, v = (tensor.to(subject.device, dtype) for tensor in tensors)
    return QKV(q * scale, k, v)


def _fault(
    precision: str, got: Tensor, exact: Tensor, plain: Tensor, *, rounding: float = 0.0
) -> str | None:
    fault = budget_fault(got, exact, plain, rounding=rounding)
    # what is within the plain kernel's budget is right, whatever was declared
    return fault if precision == "exact" or fault is None else fast_fault(got, exact)


def _gradients(function: Any, x: QKV, call: Call, weights: Tensor) -> list[Tensor]:
    leaves = [t.detach().clone().requires_grad_() for t in x]
    with torch.enable_grad():
        output = function(*leaves, call.mask)
        torch.autograd.backward((output * weights.to(output.dtype)).sum())
    return [leaf.grad for leaf in leaves if leaf.grad is not None]


def _moved(mask: Mask, device: torch.device | str) -> Mask:
    if isinstance(mask, Documents):
        return replace(mask, cu_seqlens=mask.cu_seqlens.to(device))
    if isinstance(mask, CausalCached):
        return replace(mask, lengths_B=mask.lengths_B.to(device))
    return mask


def _shout(tensor_BGSh: Tensor, hidden_BS: Tensor) -> Tensor:
    """Large numbers at the hidden keys; finite, since a masked probability is a factor of zero."""
    loud = min(1e6, torch.finfo(tensor_BGSh.dtype).max / 8)
    return tensor_BGSh.masked_fill(hidden_BS[:, None, :, None], loud)


def _refuse_grouping(subject: Subject, call: Call, dtype: torch.dtype) -> None:
    try:
        part = _build(subject, 2)
    except UnsupportedError:
        return
    _expect_refusal(part, call, _inputs(subject, part, call, dtype), "grouped queries")


def _expect_refusal(part: Any, call: Call, x: QKV, what: str) -> None:
    try:
        part(*x, call.mask)
    except UnsupportedError:
        return
    except Exception as error:
        raise Broken(
            f"{what} raises {type(error).__name__}, not UnsupportedError: {error}"
        ) from error
    raise Broken(f"{what} is not declared, and not refused")


def _where(call: Call, part: Any, dtype: torch.dtype) -> str:
    heads = f"{part.num_heads}/{part.num_kv_heads} heads"
    return f"{call.name}, {heads}, {str(dtype).removeprefix('torch.')}"
