"""What the assembler passes before the ``*`` of a constructor: one rule a kind.

No rule knows a component; each reads what the kind's contract promises, or an option of the part
that encloses it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from plm_components.errors import ContractError


@dataclass(frozen=True)
class Surroundings:
    """What stands around a part while it is built.

    Args:
        path: Spec path of the part (``decoder.block.attention``), for messages.
        encoder: The built vision encoder, where a rule needs it.
        decoder: The built decoder, where a rule needs it.
        enclosing: Options and wired arguments of the part that holds this one.
        layer_index: Which repetition of a repeated part this is.
    """

    path: str
    encoder: Any = None
    decoder: Any = None
    enclosing: Mapping[str, Any] | None = None
    layer_index: int | None = None


def wire(kind: str, around: Surroundings) -> dict[str, Any]:
    """The wired arguments of a part, by name and in order.

    Args:
        kind: Kind of the part.
        around: What stands around it.

    Raises:
        ContractError: the enclosing part lacks an option the rule needs.
    """
    rule = _RULES.get(kind)
    return rule(around) if rule else {}


def _projector(around: Surroundings) -> dict[str, Any]:
    return {"in_dim": around.encoder.width, "out_dim": around.decoder.width}


def _tiles(around: Surroundings) -> dict[str, Any]:
    return {"tile_size": around.encoder.image_size}


def _decoder_block(around: Surroundings) -> dict[str, Any]:
    return {"dim": _enclosing(around, "dim"), "layer_index": around.layer_index}


def _attention(around: Surroundings) -> dict[str, Any]:
    num_heads = _enclosing(around, "num_heads")
    num_kv_heads = _enclosing(around, "num_kv_heads", default=num_heads)
    head_dim = _enclosing(around, "head_dim", default=None)
    if head_dim is None:
        head_dim = _head_dim(around, num_heads)
    return {"num_heads": num_heads, "num_kv_heads": num_kv_heads, "head_dim": head_dim}


def _head_dim(around: Surroundings, num_heads: int) -> int:
    # a projector works in the decoder's width, its out_dim; everything else says dim
    dim = _enclosing(around, "dim", default=None)
    if dim is None:
        dim = _enclosing(around, "out_dim", default=None)
    if dim is None:
        _lacks(around, "dim or head_dim")
    if num_heads < 1 or dim % num_heads:
        raise ContractError(
            f"{dim} channels do not divide into {num_heads} heads.",
            where=f"{_parent(around)}.num_heads",
            expected=f"a divisor of {dim}",
            fix="set num_heads to a divisor of the width, or say head_dim",
        )
    return int(dim // num_heads)


_RULES: dict[str, Callable[[Surroundings], dict[str, Any]]] = {
    "projector": _projector,
    "image_tiler": _tiles,
    "frame_transform": _tiles,
    "decoder_block": _decoder_block,
    "attention": _attention,
}

_MISSING = object()


def _enclosing(around: Surroundings, name: str, default: Any = _MISSING) -> Any:
    value = (around.enclosing or {}).get(name)
    if value is not None:
        return value
    if default is _MISSING:
        _lacks(around, name)
    return default


def _lacks(around: Surroundings, name: str) -> NoReturn:
    raise ContractError(
        f"{around.path} is wired from {name}, which {_parent(around)} does not have.",
        where=around.path,
        expected=f"an option {name} of the part that holds it",
        fix=f"add {name} to that part's constructor, or take the nested part out of it",
    )


def _parent(around: Surroundings) -> str:
    return around.path.rpartition(".")[0]
