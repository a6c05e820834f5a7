"""Rotary on Triton against the formula in float64, from heads and from a fused product."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

from kernel_exactness import assert_exact, wide
from plm_components.errors import ShapeError
from plm_components.kernels.rotary import HalfSplitRotary, RopeScaling
from plm_components.kernels.rotary import rotate_qkv as plain_rotate_qkv
from plm_components.kernels.rotary.triton import rotate, rotate_qkv

DTYPES = [torch.float32, torch.bfloat16, torch.float16]
# batch, positions, query heads, key/value heads, head size: odd sizes, heads that do not fill a
# block, one position behind a cache, more positions than a program's tile
CALLS = [(2, 5, 4, 2, 6), (1, 1, 3, 3, 16), (1, 3, 20, 10, 2), (2, 70, 2, 1, 64), (3, 2, 5, 1, 24)]
if torch.cuda.is_available():
    # as the models have it, which the interpreter would take minutes for
    CALLS += [(2, 1000, 32, 8, 64), (1, 777, 24, 8, 128), (4, 1, 32, 8, 128)]
Tables = tuple[Tensor, Tensor]


def tables(batch: int, length: int, head_dim: int, device: str) -> Tables:
    """From positions that differ by row."""
    positions = torch.arange(length) + 1000 * torch.arange(batch)[:, None]
    cos, sin = HalfSplitRotary(head_dim, 10_000.0, RopeScaling())(positions)
    return cos.to(device), sin.to(device)


def theirs(q: Tensor, k: Tensor, rotary: Tables) -> tuple[Tensor, Tensor]:
    """Transformers', with tables in the dtype of its inputs."""
    return apply_rotary_pos_emb(q, k, *(table.to(q.dtype) for table in rotary))


def theirs_of_product(qkv_BLF: Tensor, rotary: Tables, heads: int, kv_heads: int):
    q, k, v = (
        flat.unflatten(-1, (-1, rotary[0].shape[-1])).transpose(1, 2)
        for flat in qkv_BLF.split(
            [count * rotary[0].shape[-1] for count in (heads, kv_heads, kv_heads)], dim=-1
        )
    )
    return *theirs(q, k, rotary), v


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("batch", "length", "heads", "kv_heads", "head_dim"), CALLS)
def test_outputs_and_gradients(
    kernel_device, batch, length, heads, kv_heads, head_dim, dtype
) -> None:
    rotary = tables(batch, length, head_dim, kernel_device)
    width = (heads + 2 * kv_heads) * head_dim
    qkv = wide(batch, length, width, dtype=dtype, device=kernel_device)
    kernel = partial(rotate_qkv, rotary=rotary, num_heads=heads, num_kv_heads=kv_heads)
    oracle = partial(theirs_of_product, rotary=rotary, heads=heads, kv_heads=kv_heads)
    assert_exact(kernel, oracle, [qkv])
    plain = partial(plain_rotate_qkv, rotary=rotary, num_heads=heads, num_kv_heads=kv_heads)
    assert_exact(plain, oracle, [qkv])
    q, k = (
        wide(batch, number, length, head_dim, dtype=dtype, device=kernel_device)
        for number in (heads, kv_heads)
    )
    assert_exact(partial(rotate, rotary=rotary), partial(theirs, rotary=rotary), [q, k])


def test_tables_of_any_two_halves(kernel_device) -> None:
    # the contract says half-split, not that both halves turn by one angle
    draws = torch.Generator().manual_seed(0)
    rotary = tuple(torch.randn(2, 3, 8, generator=draws).to(kernel_device) for _ in range(2))
    q = wide(2, 4, 3, 8, dtype=torch.float32, device=kernel_device)
    k = wide(2, 2, 3, 8, dtype=torch.float32, device=kernel_device, seed=1)
    assert_exact(partial(rotate, rotary=rotary), partial(theirs, rotary=rotary), [q, k])


def test_heads_that_nothing_turns_keep_their_bits(kernel_device) -> None:
    rotary = (torch.ones(1, 2, 8).to(kernel_device), torch.zeros(1, 2, 8).to(kernel_device))
    qkv = wide(1, 2, 32, dtype=torch.float16, device=kernel_device)
    for found, plain in zip(
        rotate_qkv(qkv, rotary, 2, 1), plain_rotate_qkv(qkv, rotary, 2, 1), strict=True
    ):
        assert found.is_contiguous()
        assert torch.equal(found, plain)


def test_strides(kernel_device) -> None:
    cos, sin = tables(1, 4, 8, kernel_device)
    one_for_all = (cos.expand(3, 4, 8), sin.expand(3, 4, 8))
    of_other_strides = (cos.expand(3, 4, 8), sin.expand(3, 4, 8).contiguous())
    between = wide(3, 4, 7, 40, dtype=torch.float32, device=kernel_device)[:, :, 1:, 3:35:4]
    crossed = wide(3, 2, 8, 4, dtype=torch.float32, device=kernel_device).mT
    for rotary in (one_for_all, of_other_strides):
        q, k = between.transpose(1, 2), crossed
        assert_exact(partial(rotate, rotary=rotary), partial(theirs, rotary=rotary), [q, k])
    qkv = wide(3, 4, 50, dtype=torch.float32, device=kernel_device)[..., 1:33]
    for source in (qkv, qkv.mT.contiguous().mT):
        kernel = partial(rotate_qkv, rotary=one_for_all, num_heads=2, num_kv_heads=1)
        oracle = partial(theirs_of_product, rotary=one_for_all, heads=2, kv_heads=1)
        assert_exact(kernel, oracle, [source])


def test_float64_is_computed_in_float64(kernel_device) -> None:
    rotary = tables(1, 2, 4, kernel_device)
    qkv = wide(1, 2, 16, dtype=torch.float64, device=kernel_device).requires_grad_()
    kernel = partial(rotate_qkv, rotary=rotary, num_heads=2, num_kv_heads=1)
    assert torch.autograd.gradcheck(kernel, qkv, fast_mode=True)


def test_no_position_gives_none(kernel_device) -> None:
    rotary = tables(2, 0, 4, kernel_device)
    qkv = torch.zeros(2, 0, 16, device=kernel_device, requires_grad=True)
    q, k, v = rotate_qkv(qkv, rotary, 2, 1)
    (q.sum() + k.sum() + v.sum()).backward()
    assert (q.shape, k.shape, v.shape) == ((2, 2, 0, 4), (2, 1, 0, 4), (2, 1, 0, 4))
    assert qkv.grad is not None


def test_shapes_that_do_not_belong_together_are_refused(kernel_device) -> None:
    rotary = tables(1, 3, 4, kernel_device)
    q, k = torch.zeros(1, 2, 3, 4).to(kernel_device), torch.zeros(1, 1, 3, 4).to(kernel_device)
    with pytest.raises(ShapeError, match="Keys of shape"):
        rotate(q, k[:, :, :2], rotary)
    # a table for all rows of a batch would be read beyond its end
    with pytest.raises(ShapeError, match="A rotary table of shape"):
        rotate(q.expand(2, 2, 3, 4), k.expand(2, 1, 3, 4), rotary)
    with pytest.raises(ShapeError, match="A rotary table of shape"):
        rotate(q[..., :3], k[..., :3], tuple(table[..., :3] for table in rotary))
    with pytest.raises(ShapeError, match="A fused product of shape"):
        rotate_qkv(torch.zeros(1, 3, 17, device=kernel_device), rotary, 2, 1)
