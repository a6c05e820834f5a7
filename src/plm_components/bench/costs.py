"""What a forward pass costs, operator by operator, read off the meta device.

Every operator of torch reads its inputs and writes its output: that is how a model runs that
nothing has fused. Products are counted by torch's own formulas.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

# what makes a tensor and touches no memory
_UNTOUCHED = frozenset(
    {"new_empty", "empty_like", "empty", "empty_strided", "new_empty_strided", "_unsafe_view"}
)
# what reads of a table only the rows it returns
_LOOK_UPS = frozenset({"embedding", "index", "index_select", "gather"})


@dataclass(frozen=True)
class OperatorCost:
    """One call of an operator.

    Args:
        name: Of the operator, ``addmm``; ``attention`` for a part's own.
        flops: Of its products; 0 for everything else, which is bound by memory.
        bytes: It reads and writes.
    """

    name: str
    flops: float
    bytes: float


@dataclass(frozen=True)
class Costs:
    """Everything that ran, without what a recorder stood for.

    Args:
        operators: How often each ran.
    """

    operators: Mapping[OperatorCost, int]

    @property
    def flops(self) -> float:
        """Of all products."""
        return sum(one.flops * times for one, times in self.operators.items())

    @property
    def bytes(self) -> float:
        """Read and written by all operators, one after another."""
        return sum(one.bytes * times for one, times in self.operators.items())

    @property
    def has_attention(self) -> bool:
        """Whether a softmax ran that no attention part stands for."""
        return any(one.name in ("attention", "_softmax") for one in self.operators)

    def without(self, other: Costs) -> Costs:
        """What is left when everything of another, which is among it, is taken away."""
        left = Counter(self.operators)
        left.subtract(other.operators)
        return Costs({one: times for one, times in left.items() if times})

    def least_s(self, flops_per_s: float, bytes_per_s: float) -> float:
        """Seconds where each operator is at the roofline: an estimate, and a low one."""
        return sum(
            times * max(one.flops / flops_per_s, one.bytes / bytes_per_s)
            for one, times in self.operators.items()
        )


@contextmanager
def counting() -> Iterator[Counter[OperatorCost]]:
    """Fills a counter with whatever runs on the meta device meanwhile."""
    counter: Counter[OperatorCost] = Counter()
    with ExitStack() as modes:
        modes.enter_context(torch.no_grad())
        modes.enter_context(_OwnAttention(counter))
        modes.enter_context(_Operators(counter))
        yield counter


class _OwnAttention(TorchFunctionMode):
    """Takes torch's fused attention for one operator; on meta it would fall into its products."""

    def __init__(self, counter: Counter[OperatorCost]) -> None:
        super().__init__()
        self._counter = counter

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func is not F.scaled_dot_product_attention:
            return func(*args, **kwargs)
        named = dict(zip(("query", "key", "value"), args, strict=False)) | dict(kwargs)
        q, k, v = named["query"], named["key"], named["value"]
        pairs = q.shape[-2] * k.shape[-2]
        if kwargs.get("is_causal"):
            pairs = pairs // 2
        flops = 2.0 * q.shape[:-2].numel() * pairs * (q.shape[-1] + v.shape[-1])
        moved = q.nbytes * (1 + v.shape[-1] / q.shape[-1]) + k.nbytes + v.nbytes
        self._counter[OperatorCost("attention", flops, float(moved))] += 1
        return q.new_empty(*q.shape[:-1], v.shape[-1])


class _Operators(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch has no types
    def __init__(self, counter: Counter[OperatorCost]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._counter = counter
        self._formulas = FlopCounterMode(display=False).flop_registry

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        name = func.overloadpacket.__name__
        if name not in _UNTOUCHED and not _is_view(func):
            formula = self._formulas.get(func.overloadpacket)
            flops = 0.0 if formula is None else float(formula(*args, **kwargs, out_val=out))
            cost = OperatorCost(name, flops, _bytes(name, (args, kwargs), out))
            self._counter[cost] += 1
        return out


def _is_view(func: Any) -> bool:
    """Whether it returns what it was given, seen otherwise: nothing moves."""
    aliases = [result.alias_info for result in func._schema.returns]
    return any(alias is not None and not alias.is_write for alias in aliases)


def _bytes(name: str, given: Any, out: Any) -> float:
    written = _tensors(out)
    if name in _LOOK_UPS:
        return 2.0 * sum(map(_size, written))
    read = _tensors(given)
    return float(sum(_size(tensor) for tensor in {id(t): t for t in [*read, *written]}.values()))


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def _size(tensor: Tensor) -> int:
    # an expanded tensor is as large as what lies behind it
    return min(tensor.nbytes, tensor.untyped_storage().nbytes())
