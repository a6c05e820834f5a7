"""What a part may promise besides: which checkpoints of others it reads, and tensor by tensor how.

Nothing above the parts knows a format by name. Whoever opens a checkpoint reads its header alone
(configuration, tensor names, shapes) and shows it to the part; the part answers with an exact map
of names, or refuses in words. So a plugin's part reads its authors' files as ours read theirs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from plm_components.errors import CheckpointError

Shapes = Mapping[str, tuple[int, ...]]
_SHOWN = 6


@dataclass(frozen=True)
class CheckpointHeader:
    """What a checkpoint says of itself; no weight was read.

    Args:
        kind: Whose layout it has: ``hf``, a directory of transformers, whose configuration names a
            ``model_type``; ``timm``, whose configuration, if there is one, an ``architecture``.
        config: Its config.json; empty where it has none.
        shapes: Of its tensors, by name.
    """

    kind: Literal["hf", "timm"]
    config: Mapping[str, Any]
    shapes: Shapes

    @property
    def model_type(self) -> str:
        """What transformers calls the architecture; empty where there is none."""
        return str(self.config.get("model_type") or "")

    def __str__(self) -> str:
        """What it is, in words that follow *This is*."""
        if self.kind == "hf":
            classes = ", ".join(map(str, self.config.get("architectures") or ()))
            return f"a {self.model_type} checkpoint" + (f" ({classes})" if classes else "")
        architecture = self.config.get("architecture")
        if architecture:
            return f"a timm checkpoint of {architecture}"
        return f"a file of {len(self.shapes)} tensors such as {next(iter(self.shapes), 'none')}"


@dataclass(frozen=True)
class Reading:
    """How one part reads one checkpoint: every name exact.

    Args:
        what: What is taken, in words (``the vision tower of a siglip checkpoint``).
        names: Every tensor of the part, from its own root -> its name in the checkpoint.
        passed_over: Names in the checkpoint that are known and not wanted (heads, another tower).
            Any other name that is not in ``names`` is a fault.
        may_be_absent: Tensors of the part that no output depends on; zero where the checkpoint
            lacks them. Any other that it lacks is a fault.
    """

    what: str
    names: Mapping[str, str]
    passed_over: Collection[str] = ()
    may_be_absent: Collection[str] = ()


@runtime_checkable
class ReadsCheckpoints(Protocol):
    """A module part that takes weights from files of others; optional for every kind."""

    def reading(self, header: CheckpointHeader) -> Reading:
        """The exact map for a checkpoint; the part itself is still on the meta device.

        Raises:
            CheckpointError: not a checkpoint for this part as it was built. The message says what
                the checkpoint is; ``where`` is filled in by the caller.
        """
        ...


def refusal(what: str, *, expected: str, fix: str) -> CheckpointError:
    """The error of a part that cannot read a checkpoint; the caller says where."""
    return CheckpointError(what, where="weights", expected=expected, fix=fix)


def refuse_differing(
    theirs: Mapping[str, Any],
    ours: Mapping[str, Any],
    *,
    options: str,
    ignored: Collection[str] = (),
) -> None:
    """Refuses a checkpoint whose configuration is not the one a part was built with.

    Args:
        theirs: Configuration of the checkpoint.
        ours: The same keys as the part was built.
        options: Where the spec says them (``decoder.config``), for the message.
        ignored: Keys that change no output.

    Raises:
        CheckpointError: names every key that differs, the first few with both values.
    """
    keys = sorted({*theirs, *ours} - set(ignored))
    differing = [key for key in keys if theirs.get(key) != ours.get(key)]
    if not differing:
        return
    listed = [f"{key} is {theirs.get(key)!r}, not {ours.get(key)!r}" for key in differing]
    rest = f"; and {', '.join(differing[_SHOWN:])}" if len(differing) > _SHOWN else ""
    noun = "key differs" if len(differing) == 1 else "keys differ"
    raise refusal(
        f"The checkpoint is of another size or kind than the spec: {len(differing)} {noun}.",
        expected=f"the configuration of the spec; in the checkpoint "
        f"{'; '.join(listed[:_SHOWN])}{rest}",
        fix=f"set {options} to what the checkpoint has, or name other weights",
    )
