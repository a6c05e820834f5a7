"""What every part promises by how it is written: signature, members, docstring."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from typing import Any

from plm_components import contracts
from plm_components.errors import ContractError
from plm_components.spec import signature_of
from plm_components.testing.outcome import Broken, NotApplicable, expect
from plm_components.testing.roster import check
from plm_components.testing.subject import CannotBuildError, Subject
from plm_components.zoo.kinds import KINDS

_PROTOCOLS: dict[str, type] = {
    protocol.__plm_kind__: protocol
    for protocol in vars(contracts).values()
    if inspect.isclass(protocol) and hasattr(protocol, "__plm_kind__")
}
_TENSOR_KINDS = (
    "vision_encoder",
    "projector",
    "decoder",
    "decoder_block",
    "attention",
    "pooling",
    "image_tiler",
    "frame_transform",
)
# ``(B, h*w, C)`` or ``(B,H,L,h)``: a bracket with a comma and nothing a call would hold
_SHAPE = re.compile(r"\(\s*[\w*/+ .]+,[\w*/+ .,()]*\)")


@check()
def loads(subject: Subject) -> None:
    """Its target can be imported and is a class."""
    # the run got here: the entry gave its class


@check()
def builds(subject: Subject) -> None:
    """It builds from its example, nested parts included."""
    if _refusal(subject) is not None:
        raise NotApplicable("its signature is refused: see wired_before_star, options_declared")
    try:
        subject.build()
    except CannotBuildError as reason:
        raise Broken(reason.why) from reason


@check()
def wired_before_star(subject: Subject) -> None:
    """Before the star stand exactly the arguments that the kind wires."""
    before, wired = _before_star(subject), KINDS[subject.kind].wired
    expect(before == wired, f"before the star: {_names(before)}; the kind wires: {_names(wired)}")


@check()
def options_declared(subject: Subject) -> None:
    """Every option after the star has a name, a type a spec can hold, and no reserved word."""
    parameters = inspect.signature(subject.cls).parameters.values()
    loose = [one.name for one in parameters if one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    expect(not loose, f"takes anything through {_names(loose)}: a misspelt option would pass")
    if _before_star(subject) != KINDS[subject.kind].wired:
        raise NotApplicable("the star stands elsewhere: see wired_before_star")
    # an annotation that does not resolve or cannot stand in a spec, a reserved word
    refusal = _refusal(subject)
    expect(refusal is None, refusal or "")


@check()
def members_present(subject: Subject) -> None:
    """It has every attribute and method of the contract."""
    part = subject.build()
    missing = [name for name in _members(_PROTOCOLS[subject.kind]) if not hasattr(part, name)]
    expect(not missing, f"has no {_names(missing)}")


@check()
def docstring_tells(subject: Subject) -> None:
    """The docstring says what it is, and the shapes in and out."""
    own = subject.cls.__dict__.get("__doc__")
    expect(bool(own), "the class has no docstring of its own")
    if subject.kind in _TENSOR_KINDS:
        texts = [own, *(_doc(subject.cls, name) for name in ("forward", "__call__", "embed"))]
        expect(any(_SHAPE.search(text or "") for text in texts), "no shape such as (B, h*w, C)")


def _refusal(subject: Subject) -> str | None:
    """Why no spec could name this constructor."""
    try:
        signature_of(subject.cls, subject.kind)
    except ContractError as error:
        return error.what
    return None


def _before_star(subject: Subject) -> tuple[str, ...]:
    parameters = inspect.signature(subject.cls).parameters.values()
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return tuple(one.name for one in parameters if one.kind in by_place)


def _members(protocol: type) -> list[str]:
    """Public attributes and methods of a protocol, and its call."""
    named = [*vars(protocol), *inspect.get_annotations(protocol)]
    return sorted({name for name in named if name == "__call__" or not name.startswith("_")})


def _doc(cls: type, name: str) -> str | None:
    member: Any = cls.__dict__.get(name)
    return member.__doc__ if member is not None else None


def _names(names: Iterable[str]) -> str:
    return ", ".join(names) or "nothing"
