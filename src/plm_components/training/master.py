"""bf16 weights that learn in fp32: the optimizers only ever see an fp32 master copy."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from plm_components.training.crew import Crew

_EYES = "vision_encoder."


class MasterWeights:
    """An fp32 copy of a module's parameters, and the optimizers that move it.

    Matrices inside the network, patch embedding included, are moved by Muon, everything else
    (tables, norms, biases, positions) by AdamW; Muon's updates are scaled to AdamW's size, so one
    learning rate serves both. Muon's matrix products are a quarter of a step on pictures, so every
    process moves its share of the matrices and tells the others.

    Args:
        module: bf16; its parameters follow the copy.
        weight_decay: Of the matrices.
        clip: Largest norm of the whole gradient.
        crew: The processes that hold the same copy.
    """

    def __init__(self, module: nn.Module, *, weight_decay: float, clip: float, crew: Crew) -> None:
        self._clip, self._crew = clip, crew
        self._params = dict(module.named_parameters())
        self._master = {
            name: _flat(name, parameter.detach()).float().clone().requires_grad_()
            for name, parameter in self._params.items()
        }
        matrices = [name for name, copy in self._master.items() if _is_matrix(name, copy)]
        # the large ones first, so that every process gets about as much to do
        self._dealt = crew.dealt(sorted(matrices, key=lambda name: -self._master[name].numel()))
        self._muon = torch.optim.Muon(
            self._groups(self._dealt[crew.rank]),
            lr=0.0,
            weight_decay=weight_decay,
            adjust_lr_fn="match_rms_adamw",
        )
        self._adamw = torch.optim.AdamW(
            self._groups([name for name in self._master if name not in matrices]),
            lr=0.0,
            betas=(0.9, 0.98),
            weight_decay=0.0,
            fused=True,
        )

    def _groups(self, names: list[str]) -> list[dict[str, Any]]:
        """The encoder's parameters, and all others."""
        return [
            {"params": [self._master[name] for name in names if name.startswith(_EYES) == eyes]}
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
        self._crew.average([copy.grad for copy in master if copy.grad is not None])
        nn.utils.clip_grad_norm_(master, self._clip)
        optimizers: tuple[torch.optim.Optimizer, ...] = (self._muon, self._adamw)
        for optimizer in optimizers:
            for group, share in zip(optimizer.param_groups, (eyes, 1.0), strict=True):
                group["lr"] = rate * share
            optimizer.step()
        for copy in master:
            copy.grad = None
        self._tell(self._master)
        self._publish()

    def _tell(self, tensors: dict[str, Tensor]) -> None:
        """Every process gets the tensors of the matrices that another one moves."""
        with torch.no_grad():
            self._crew.spread([[tensors[name] for name in names] for names in self._dealt])

    def _publish(self) -> None:
        with torch.no_grad():
            for parameter, copy in zip(self._params.values(), self._master.values(), strict=True):
                parameter.copy_(copy.view_as(parameter))

    def weights(self) -> dict[str, Tensor]:
        """The fp32 copy, by name."""
        return {name: copy.detach() for name, copy in self._master.items()}

    def state_dict(self) -> dict[str, Any]:
        """Everything a resumed run needs; every process of the crew has to ask for it."""
        momentum = {name: self._momentum(name) for names in self._dealt for name in names}
        self._tell(momentum)
        return {
            "master": self.weights(),
            "momentum": momentum,
            "adamw": self._adamw.state_dict(),
        }

    def _momentum(self, name: str) -> Tensor:
        copy = self._master[name]
        moved: Tensor | None = self._muon.state[copy].get("momentum_buffer")
        return torch.zeros_like(copy) if moved is None else moved

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues from ``state_dict``."""
        with torch.no_grad():
            for name, copy in self._master.items():
                copy.copy_(state["master"][name])
        for name in self._dealt[self._crew.rank]:
            self._muon.state[self._master[name]] = {"momentum_buffer": state["momentum"][name]}
        self._adamw.load_state_dict(state["adamw"])
        self._publish()


def _flat(name: str, parameter: Tensor) -> Tensor:
    """A convolution over patches that do not overlap is a matrix."""
    return parameter.flatten(1) if "patch_embed" in name and parameter.ndim == 4 else parameter


def _is_matrix(name: str, parameter: Tensor) -> bool:
    return parameter.ndim == 2 and "embed_tokens" not in name
