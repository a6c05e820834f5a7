"""A registered part becomes the function of an operation: one way a kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, TypeAlias

from torch import Tensor, nn
from torch.func import functional_call

from plm_components.assembly.build import PartBuilder, placed
from plm_components.assembly.wiring import Surroundings
from plm_components.bench.operation import Function, Operation
from plm_components.bench.operations.block_surroundings import (
    BlockSizes,
    BlockSurroundings,
    plain_state,
)
from plm_components.bench.operations.decoder_block import ORACLE as PLAIN_BLOCK
from plm_components.bench.operations.masks import mask_of
from plm_components.bench.operations.projector import WEIGHTS, weight_shapes
from plm_components.checkpoints import first_few
from plm_components.contracts import Grid
from plm_components.errors import UnsupportedError
from plm_components.spec import resolve_part, signature_of
from plm_components.zoo import Entry, Zoo

_Options: TypeAlias = Mapping[str, Any]
_PLM_PROJECTOR = "projector/avg_pool_mlp"
# by these words a refusal is told from that of a part which could not do it here
ANOTHER_FUNCTION = "is another function than"


def _built(
    operation: Operation,
    entry: Entry,
    zoo: Zoo,
    options: Mapping[str, Any],
    wired_from: Mapping[str, Any],
) -> Any:
    """A part as a spec would have it built: nested parts first, options checked."""
    part = resolve_part(entry.kind, {"type": entry.qualified, **options}, zoo, path=entry.kind)
    around = Surroundings(
        part.path,
        encoder=SimpleNamespace(width=wired_from.get("in_dim")),
        decoder=SimpleNamespace(width=wired_from.get("out_dim")),
        enclosing=wired_from,
        layer_index=0,
    )
    with placed(operation.device, operation.dtype):
        return PartBuilder({}).build(part, around)


def _attention(operation: Operation, entry: Entry, zoo: Zoo, options: _Options) -> Function:
    sizes = operation.sizes
    heads = {name: sizes[name] for name in ("num_heads", "num_kv_heads", "head_dim")}
    kernel = _built(operation, entry, zoo, options, heads)
    mask = mask_of(sizes, operation.device)

    def attend(q_BHLh: Tensor, k_BGSh: Tensor, v_BGSh: Tensor) -> Tensor:
        out_BHLh: Tensor = kernel(q_BHLh, k_BGSh, v_BGSh, mask)
        return out_BHLh

    return attend


def _pooling(operation: Operation, entry: Entry, zoo: Zoo, options: _Options) -> Function:
    sizes, grid = operation.sizes, _grid(operation)
    kernel = _built(operation, entry, zoo, options, {})

    def pool(tokens_BNC: Tensor) -> Tensor:
        out_BMC: Tensor = kernel(tokens_BNC, grid, sizes["window"], sizes["activation"])
        return out_BMC

    return pool


def _projector(operation: Operation, entry: Entry, zoo: Zoo, options: _Options) -> Function:
    sizes, grid = operation.sizes, _grid(operation)
    in_dim, out_dim = int(sizes["in_dim"]), int(sizes["out_dim"])
    part = resolve_part(entry.kind, {"type": entry.qualified}, zoo, path=entry.kind)
    pool = {"pool": sizes["pool"]} if "pool" in part.options else {}
    wired = {"in_dim": in_dim, "out_dim": out_dim}
    module = _built(operation, entry, zoo, {**options, **pool}, wired)
    _require_state(entry, module, weight_shapes(in_dim, out_dim), _PLM_PROJECTOR)

    def project(tokens_BNC: Tensor, *weights: Tensor) -> Tensor:
        named = dict(zip(WEIGHTS, weights, strict=True))
        out_BMD: Tensor = functional_call(module, named, (tokens_BNC, grid))
        return out_BMD

    return project


def _decoder_block(operation: Operation, entry: Entry, zoo: Zoo, options: _Options) -> Function:
    sizes = BlockSizes(**{name: int(size) for name, size in operation.sizes.items()})
    around = BlockSurroundings(sizes, operation.dtype, operation.device)
    signature = signature_of(entry.load(), entry.kind)
    _require_options(entry, sizes.options, signature.options)
    block = _built(operation, entry, zoo, {**sizes.options, **options}, {"dim": sizes.dim})
    shapes = {name: tuple(tensor.shape) for name, tensor in plain_state(sizes).items()}
    _require_state(entry, block, shapes, PLAIN_BLOCK)
    block.load_state_dict(around.weights)
    return lambda x_BLD: around.run(block, x_BLD)


def _grid(operation: Operation) -> Grid:
    return Grid(int(operation.sizes["grid_height"]), int(operation.sizes["grid_width"]))


def _require_options(entry: Entry, needed: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    missing = [name for name in needed if name not in options]
    if missing:
        raise _another_function(entry, f"it has no option {', '.join(missing)}", PLAIN_BLOCK)


def _require_state(
    entry: Entry, module: nn.Module, shapes: Mapping[str, tuple[int, ...]], oracle: str
) -> None:
    """Weights of the same names and shapes are what makes two modules comparable."""
    found = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    if found != shapes:
        differing = sorted(dict(found.items() ^ shapes.items()))
        raise _another_function(entry, f"its weights differ in {first_few(differing)}", oracle)


def _another_function(entry: Entry, why: str, oracle: str) -> UnsupportedError:
    return UnsupportedError(
        f"{entry.address} {ANOTHER_FUNCTION} {oracle}: {why}.",
        where=entry.address,
        expected=f"the options and weights of {oracle}",
        fix="bench it in a suite of its own",
    )


# operation, the part, where nested parts are looked up, and options beside the sizes
PREPARERS: dict[str | None, Callable[[Operation, Entry, Zoo, _Options], Function]] = {
    "attention": _attention,
    "pooling": _pooling,
    "projector": _projector,
    "decoder_block": _decoder_block,
}
