"""From a name, a file or a mapping to one plain tree: bases, overrides, references."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from plm_components.errors import SpecError, UsageError
from plm_components.spec.files import Origin, base_origin, origin_of, read_origin
from plm_components.spec.interpolate import interpolate
from plm_components.spec.layout import SPEC_SLOTS, SPEC_VERSION, TOP_KEYS
from plm_components.spec.meant import as_meant
from plm_components.spec.merge import merge, overrides_tree
from plm_components.spec.plain import plain
from plm_components.untrusted import expanded
from plm_components.zoo import Zoo, default_zoo

if TYPE_CHECKING:
    from omegaconf import DictConfig

Source: TypeAlias = "str | Path | Mapping[str, Any] | DictConfig"

MAX_BASES = 16


def load_spec(
    source: Source,
    overrides: Sequence[str] = (),
    *,
    zoo: Zoo | None = None,
    by: str | None = None,
) -> dict[str, Any]:
    """Reads a spec; runs nothing and imports no component.

    Args:
        source: A name (``plm-1b``, ``plm-foo:tiny-foo`` of a plugin), a path, a mapping or an
            OmegaConf ``DictConfig``.
        overrides: Dotlist edits, ``projector.pool=4``.
        zoo: Whose plugins may ship specs; the default zoo if None.
        by: The distribution that wrote the mapping; None for a user's.

    Returns:
        Plain data: bases composed, overrides applied, references replaced, slots in order and
        each a mapping with ``type``. A name that several have is qualified where a distribution
        wrote it. Whether parts and options exist is ``resolve``'s to say.

    Raises:
        SpecError: with every fault found.
        DuplicateComponentError: several plugins ship a spec of this name.
        UsageError: overrides are no list.
    """
    if isinstance(overrides, str):
        raise _no_list(f"one text: {overrides!r}", f"overrides=[{overrides!r}]")
    if not isinstance(overrides, Iterable):
        raise _no_list(f"{overrides!r}", "leave overrides out, or overrides=['projector.pool=4']")
    delta = overrides_tree(overrides)
    tree = merge(_composed(source, zoo, by), delta)
    _check_version(tree, "overrides")
    return _ordered(interpolate(tree))


def _no_list(found: str, fix: str) -> UsageError:
    return UsageError(
        f"overrides is {found}.", where="overrides", expected="a list of edits", fix=fix
    )


def spec_name(source: Source) -> str | None:
    """What to call a spec: its shipped name or its file's stem; None for a mapping."""
    if not isinstance(source, str | Path):
        return None
    path = Path(source)
    return path.stem if path.suffix in (".yaml", ".yml") else path.name


def spec_folder(source: Source) -> Path | None:
    """Where relative weights of a spec start: at its file; None for what is no file."""
    if isinstance(source, str | Path) and Path(source).suffix in (".yaml", ".yml"):
        return expanded(source).resolve().parent
    return None


def _composed(source: Source, zoo: Zoo | None, by: str | None) -> dict[str, Any]:
    """Base below delta, down the chain; a circle is told with its members."""
    if isinstance(source, str | Path):
        origin = origin_of(source, zoo)
        tree = read_origin(origin)
    else:
        origin = Origin("this mapping", None, by)
        tree = _from_mapping(source)
    chain = [origin]
    layers = [_layer(tree, origin)]
    while "base" in layers[-1]:
        origin = base_origin(layers[-1].pop("base"), chain[-1], zoo)
        chain.append(origin)
        _refuse_endless(chain)
        layers.append(_layer(read_origin(origin), origin))
    composed: dict[str, Any] = {}
    for layer, whose in zip(reversed(layers), reversed(chain), strict=True):
        composed = merge(composed, layer)
        if whose.by is not None:
            # before a user's words are laid over it
            composed = as_meant(composed, whose.by, zoo or default_zoo())
    return composed


def _from_mapping(source: Mapping[str, Any] | DictConfig) -> Any:
    # only who imported OmegaConf can hold a DictConfig; reading names needs it not
    omegaconf = sys.modules.get("omegaconf")
    if omegaconf is not None and isinstance(source, omegaconf.DictConfig):
        source = omegaconf.OmegaConf.to_container(source, resolve=False)
    return plain(source, "this mapping")


def _layer(tree: Any, origin: Origin) -> dict[str, Any]:
    if not isinstance(tree, dict):
        found = "nothing" if tree is None else f"a {type(tree).__name__}"
        raise SpecError(
            f"A spec is a mapping of slots, and this is {found}.",
            where=str(origin),
            expected="keys such as vision_encoder, projector, decoder, tokenizer",
            fix="write one slot a line, or base: and what differs",
        )
    _check_version(tree, str(origin))
    return {key: _as_part(key, value) for key, value in tree.items()}


def _as_part(key: str, value: Any) -> Any:
    """Bare text in a slot is short for a part without options."""
    return {"type": value} if key in SPEC_SLOTS and isinstance(value, str) else value


def _check_version(tree: Mapping[str, Any], where: str) -> None:
    version = tree.get("plm", SPEC_VERSION)
    if type(version) is not int or version != SPEC_VERSION:
        raise SpecError(
            f"This spec is written in format {version!r}.",
            where=f"{where}: plm",
            expected=f"plm: {SPEC_VERSION} (the default)",
            fix="use the version of plm-components that wrote it, or rewrite it in this format",
        )


def _ordered(tree: dict[str, Any]) -> dict[str, Any]:
    tree = {key: _as_part(key, value) for key, value in {"plm": SPEC_VERSION, **tree}.items()}
    known = [key for key in TOP_KEYS if key in tree]
    unknown = [key for key in tree if key not in TOP_KEYS]
    return {key: tree[key] for key in (*known, *unknown)}


def _refuse_endless(chain: Sequence[Origin]) -> None:
    if chain[-1] not in chain[:-1] and len(chain) <= MAX_BASES:
        return
    fault = "runs in a circle" if chain[-1] in chain[:-1] else "goes too deep"
    raise SpecError(
        f"base: {fault}: {' -> '.join(map(str, chain))}.",
        where=f"{chain[-2]}: base",
        expected=f"at most {MAX_BASES} specs, each based on another",
        fix="take base: out of one of them",
    )
