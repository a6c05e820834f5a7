"""The part under test, and how to get a fresh one."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

from plm_components.assembly.build import PartBuilder, placed
from plm_components.assembly.examination import with_nested
from plm_components.assembly.wiring import Surroundings
from plm_components.contracts import AttentionSupport
from plm_components.errors import PlmError, SpecError, UnavailableError
from plm_components.spec import Part, PartSignature, resolve_part, signature_of
from plm_components.testing.cases import SMALL_WIRING, Case
from plm_components.testing.outcome import NotApplicable
from plm_components.zoo import Entry, Zoo
from plm_components.zoo.kinds import KINDS


class CannotBuildError(NotApplicable):
    """The example does not build: one check says why, the others have nothing to test."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__("it cannot be built: see builds")


@dataclass(frozen=True)
class Subject:
    """One part, one example.

    Args:
        entry: Its line of the zoo.
        cls: Its class.
        case: The example.
        zoo: Where it and its nested parts are looked up.
        device: Where it runs.
    """

    entry: Entry
    cls: type[Any]
    case: Case
    zoo: Zoo = field(repr=False)
    device: str = "cpu"

    @property
    def kind(self) -> str:
        """The part's kind."""
        return self.entry.kind

    @property
    def signature(self) -> PartSignature:
        """Wired names, options and slots of the constructor."""
        return signature_of(self.cls, self.kind)

    def wired(self, **instead: Any) -> dict[str, Any]:
        """What stands before the star, at the size of a test."""
        values = {**SMALL_WIRING, **self.case.wired, **instead}
        return {name: values[name] for name in KINDS[self.kind].wired}

    def build(self, *, device: str | None = None, **wired: Any) -> Any:
        """A fresh part, nested parts included.

        It is built on the CPU and moved, as the assembler does with fresh weights.

        Args:
            device: The subject's own by default; ``"meta"`` builds it there.
            **wired: Wired arguments other than the kit's small ones.

        Raises:
            CannotBuildError: it does not build on the CPU, or cannot be moved.
            NotApplicable: this machine lacks something it needs, or a part nested in it does not
                run on the device.
        """
        try:
            part = self._part()
            if device == "meta":
                return self._built(part, "meta", wired)
            _refuse_elsewhere(part, self.device)
            return _moved(self._built(part, "cpu", wired), device or self.device)
        except NotApplicable:
            raise
        except UnavailableError as error:
            raise NotApplicable(error.what) from error
        except Exception as error:
            if device == "meta":
                self.build(device="cpu", **wired)  # builds there: then meta is to blame
                raise
            raise CannotBuildError(_why(error)) from error

    def build_random(self, *, seed: int = 0) -> Any:
        """A fresh module in evaluation mode, weights from its own ``init_weights``."""
        part = self.build(device="cpu")
        part.init_weights(torch.Generator().manual_seed(seed))
        return _moved(part, self.device).eval()

    def _part(self) -> Part:
        # its package wrote the example: a name in it that several have means its own, or ours
        value, author = {"type": self.entry.qualified, **self.case.options}, self.entry.provider
        return resolve_part(
            self.kind, value, self.zoo, path=self.entry.address, by=author.distribution
        )

    def _built(self, part: Part, device: str, wired: dict[str, Any]) -> Any:
        with placed(device, torch.float32):
            return PartBuilder({}).build(part, _around(self.wired(**wired)))


def elsewhere(support: AttentionSupport, device: str) -> str:
    """Why nothing is asked of a kernel on a device that it does not declare."""
    return f"runs on {', '.join(sorted(support.devices))}, not on the {device} of these checks"


def _refuse_elsewhere(part: Part, device: str) -> None:
    """A block on another device's attention has nothing to answer there."""
    for nested in list(with_nested(part))[1:]:
        support = getattr(nested.cls, "support", None)
        if not isinstance(support, AttentionSupport):
            continue
        if torch.device(device).type not in support.devices:
            raise NotApplicable(f"{nested.entry.address} in it {elsewhere(support, device)}")


def _moved(part: Any, device: str) -> Any:
    return part.to(device) if isinstance(part, nn.Module) else part


def _around(wired: dict[str, Any]) -> Surroundings:
    """Neighbours that wire just these values; the rules are the assembler's own."""
    encoder = SimpleNamespace(width=wired.get("in_dim"), image_size=wired.get("tile_size"))
    decoder = SimpleNamespace(width=wired.get("out_dim"))
    return Surroundings("the part under test", encoder, decoder, wired, wired.get("layer_index"))


def _why(error: Exception) -> str:
    if not isinstance(error, PlmError):
        return f"raised {type(error).__name__}: {error}"
    if isinstance(error, SpecError):
        return f"{error}\n  (an option without a default needs an example in conformance.yaml)"
    return str(error)
