"""PLM's projector: two layers and a mean over windows of tokens, in either order."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from torch import Generator, Tensor, nn
from torch.nn import functional as F

from plm_components.contracts import (
    CheckpointHeader,
    DefaultPart,
    Grid,
    Pooling,
    Reading,
    refusal,
    refuse_differing,
)
from plm_components.projectors.tokens import require_positive, require_tokens, windowed_grid

_ADDRESS = "projector/avg_pool_mlp"


class AvgPoolMLPProjector(nn.Module):
    """Projects each vision token by an MLP, averaging ``pool`` x ``pool`` neighbours.

    A mean is linear and so is the second layer, hence ``pool(W2 gelu(W1 x) + b2)`` equals
    ``W2 pool(gelu(W1 x)) + b2``: pooling first is the same function, and the second layer runs on
    a ``pool**2``-th of the tokens. Weights do not know which order is used.

    Args:
        in_dim: Channels of a vision token.
        out_dim: Channels of a decoder embedding, and of the hidden layer.
        pool: Side of the pooling window, in tokens; 1 keeps every token.
        order: ``pool_first`` pools before the second layer; ``pool_last`` after it, as published.
        pooling: The kernel that averages.

    Shapes:
        tokens_BNC ``(B, h*w, in_dim)`` -> ``(B, h/pool * w/pool, out_dim)``.

    Raises:
        ShapeError: a grid side does not divide by ``pool``, or the tokens are not the grid.
        SpecError: ``pool`` is less than 1.

    Source:
        PerceptionLM, arXiv 2504.13180, section 3.
    """

    compiles: ClassVar[bool] = True
    __plm_kind__: ClassVar[str] = "projector"

    def __init__(
        self,
        in_dim: int,
        out_dim: int,
        *,
        pool: int = 2,
        order: Literal["pool_first", "pool_last"] = "pool_first",
        pooling: Annotated[Pooling, DefaultPart("mean")],
    ) -> None:
        super().__init__()
        require_positive(_ADDRESS, pool=pool)
        self.in_dim = in_dim
        self.out_dim = out_dim
        self.pool = pool
        self.order = order
        self.pooling = pooling
        self.linear_1 = nn.Linear(in_dim, out_dim)
        self.linear_2 = nn.Linear(out_dim, out_dim)

    def num_tokens(self, grid: Grid) -> int:
        """Embeddings a tile becomes."""
        return self.out_grid(grid).num_tokens

    def out_grid(self, grid: Grid) -> Grid:
        """The grid after pooling."""
        return windowed_grid(_ADDRESS, grid, self.pool, option="pool", verb="pooled")

    def forward(self, tokens_BNC: Tensor, grid: Grid) -> Tensor:
        """``(B, h*w, in_dim)`` -> ``(B, M, out_dim)``."""
        require_tokens(_ADDRESS, tokens_BNC, grid, self.in_dim)
        self.out_grid(grid)
        hidden_BND = self.linear_1(tokens_BNC)
        if self.order == "pool_first":
            pooled_BMD: Tensor = self.linear_2(self.pooling(hidden_BND, grid, self.pool, "gelu"))
            return pooled_BMD
        return self.pooling(self.linear_2(F.gelu(hidden_BND)), grid, self.pool)

    def reading(self, header: CheckpointHeader) -> Reading:
        """The projector of a PerceptionLM in transformers' format.

        Raises:
            CheckpointError: something else, or one that pools otherwise.
        """
        if header.model_type != "perception_lm":
            raise refusal(
                f"This is {header}, in which there is no projector of this kind.",
                expected="a PerceptionLM of transformers, of model_type perception_lm",
                fix="name weights of a PerceptionLM, or none and say init='random'",
            )
        found = header.config.get("projector_pooling_ratio", 1)
        refuse_differing({"pool": found}, {"pool": self.pool}, options="projector.pool")
        before = "model.multi_modal_projector."
        return Reading(
            f"the projector of {header}",
            {name: f"{before}{name}" for name in self.state_dict()},
            passed_over=[name for name in header.shapes if not name.startswith(before)],
        )

    def init_buffers(self) -> None:
        """Does nothing: there are no buffers."""

    def init_weights(self, generator: Generator | None = None) -> None:
        """Truncated normal of deviation ``out_dim ** -0.5``, cut at three, biases too."""
        std = self.out_dim**-0.5
        for parameter in self.parameters():
            nn.init.trunc_normal_(parameter, std=std, a=-3 * std, b=3 * std, generator=generator)
