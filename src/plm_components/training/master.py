"""bf16 weights that learn in fp32: the optimizers only ever see an fp32 master copy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

_EYES = "vision_encoder."


class MasterWeights:
    """An fp32 copy of a module's parameters, and the optimizers that move it.

    Matrices inside the network, patch embedding included, are moved by Muon, everything else
    (tables, norms, biases, positions) by AdamW; Muon's updates are scaled to AdamW's size, so one
    learning rate serves both.

    Args:
        module: bf16; its parameters follow the copy.
        weight_decay: Of the matrices.
        clip: Largest norm of the whole gradient.
        average: Replaces gradients by their mean over all processes, in place.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        weight_decay: float,
        clip: float,
        average: Callable[[Sequence[Tensor]], None],
    ) -> None:
        self._clip, self._average = clip, average
        self._params = dict(module.named_parameters())
        self._master = {
            name: _flat(name, parameter.detach()).float().clone().requires_grad_()
            for name, parameter in self._params.items()
        }
        self._optimizers: list[torch.optim.Optimizer] = [
            torch.optim.Muon(
                self._groups(matrices=True),
                lr=0.0,
                weight_decay=weight_decay,
                adjust_lr_fn="match_rms_adamw",
            ),
            torch.optim.AdamW(
                self._groups(matrices=False),
                lr=0.0,
                betas=(0.9, 0.98),
                weight_decay=0.0,
                fused=True,
            ),
        ]

    def _groups(self, *, matrices: bool) -> list[dict[str, Any]]:
        """The encoder's parameters, and all others."""
        named = [(n, copy) for n, copy in self._master.items() if _is_matrix(n, copy) == matrices]
        return [
            {"params": [copy for name, copy in named if name.startswith(_EYES) == eyes]}
            for eyes in (True, False)
        ]

    def step(self, rate: float, *, eyes: float = 1.0) -> None:
        """One update from the gradients that stand in the module.

        Args:
            rate: Learning rate.
            eyes: The encoder's share of it.
        """
        params, master = list(self._params.values()), list(self._master.values())
        for parameter, copy in zip(params, master, strict=True):
            if parameter.grad is not None:
                copy.grad = parameter.grad.view_as(copy).float()
                parameter.grad = None
        self._average([copy.grad for copy in master if copy.grad is not None])
        nn.utils.clip_grad_norm_(master, self._clip)
        for optimizer in self._optimizers:
            for group, share in zip(optimizer.param_groups, (eyes, 1.0), strict=True):
                group["lr"] = rate * share
            optimizer.step()
            optimizer.zero_grad()
        self._publish()

    def _publish(self) -> None:
        with torch.no_grad():
            for parameter, copy in zip(self._params.values(), self._master.values(), strict=True):
                parameter.copy_(copy.view_as(parameter))

    def weights(self) -> dict[str, Tensor]:
        """The fp32 copy, by name."""
        return {name: copy.detach() for name, copy in self._master.items()}

    def state_dict(self) -> dict[str, Any]:
        """Everything a resumed run needs."""
        return {
            "master": self.weights(),
            "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues from ``state_dict``."""
        with torch.no_grad():
            for name, copy in self._master.items():
                copy.copy_(state["master"][name])
        for optimizer, saved in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self._publish()


def _flat(name: str, parameter: Tensor) -> Tensor:
    """A convolution over patches that do not overlap is a matrix."""
    return parameter.flatten(1) if "patch_embed" in name and parameter.ndim == 4 else parameter


def _is_matrix(name: str, parameter: Tensor) -> bool:
    return parameter.ndim == 2 and "embed_tokens" not in name
