"""The front door: a spec, a saved directory or a published model becomes a variant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from plm_components.assembly import (
    Init,
    Lock,
    Wish,
    as_dtype,
    assemble_published,
    assemble_tree,
    localised,
    require_grafts,
    require_installed,
    usable_device,
    with_providers_named,
    zoo_with,
)
from plm_components.checkpoints import (
    LOCK_FILE,
    SPEC_FILE,
    check_writable,
    read_lock_text,
    read_published,
)
from plm_components.spec import load_spec, resolve, spec_folder, spec_name
from plm_components.untrusted import expanded
from plm_components.variant import Variant, directory_path, require_path
from plm_components.zoo import OURS, Zoo


def assemble(
    spec: str | Path | Mapping[str, Any],
    *,
    overrides: Sequence[str] = (),
    device: str | torch.device = "cpu",
    dtype: str | torch.dtype = "float32",
    init: Init | None = None,
    seed: int = 0,
    zoo: Zoo | None = None,
    plugins: Iterable[str | Path] = (),
    verify: bool | None = None,
) -> Variant:
    """Checks a spec, builds its parts and gives them weights.

    Args:
        spec: A shipped spec's name, a path, or a mapping.
        overrides: Edits such as ``projector.pool=4``.
        device: Where the model goes.
        dtype: Of its parameters.
        init: Where the spec has ``weights: null``: ``"random"`` fills them from ``seed``,
            ``"meta"`` leaves them without memory. Where it names weights: None.
        seed: Of the random weights; the same on every device.
        zoo: Where parts are looked up; the default zoo if None.
        plugins: Part files to offer beside the zoo, for this call.
        verify: Read all weights once more to compare their hash and look for NaN; None does so
            below 1 GiB.

    Raises:
        SpecError: the spec cannot be read, or names what does not exist.
        UnfitError: parts that do not fit; everything at once, as ``check`` reports it.
        CheckpointError: weights that are missing, broken, or of another spec.
        UsageError: ``init`` is missing, or contradicts the spec; no such device.
        UnavailableError: the device cannot be used here.
    """
    where_from, dtype = zoo_with(zoo, plugins), as_dtype(dtype)
    data = load_spec(spec, overrides, zoo=where_from)
    tree = resolve(data, where_from, name=spec_name(spec))
    wish = Wish(usable_device(device), dtype, init, seed, verify, spec_folder(spec))
    return Variant(tree, assemble_tree(tree, where_from, wish))


def graft(
    spec: str | Path | Mapping[str, Any],
    directory: str | Path,
    *,
    overrides: Sequence[str] = (),
    dtype: str | torch.dtype = "float32",
    init: Init | None = None,
    seed: int = 0,
    zoo: Zoo | None = None,
    plugins: Iterable[str | Path] = (),
    overwrite: bool = False,
) -> Variant:
    """Assembles a spec whose parts name weights of their own, and saves what comes of it.

    The saved directory needs the checkpoints no more; its lock says where each tensor came from,
    with the hash of the files.

    Args:
        spec: As for :func:`assemble`; ``vision_encoder.weights``, ``projector.weights`` and
            ``decoder.weights`` say ``hf:``, ``timm:``, ``plm:`` or ``package:``.
        directory: Where the variant goes; new, empty, or a variant of ours with ``overwrite``.
        overrides: Edits such as ``decoder.weights=hf:./llama``.
        dtype: Of its parameters.
        init: ``"random"`` where a part names no weights.
        seed: Of the random weights.
        zoo: Where parts are looked up; the default zoo if None.
        plugins: Part files to offer beside the zoo, for this call.
        overwrite: Replace the variant that is there.

    Raises:
        UsageError: no part names weights, something stands in the directory, or as ``assemble``.
        PlmError: whatever :func:`assemble` and ``Variant.save`` raise.
    """
    where_from, target = zoo_with(zoo, plugins), directory_path(directory).expanduser()
    data = load_spec(spec, overrides, zoo=where_from)
    check_writable(target, overwrite=overwrite)
    require_grafts(resolve(data, where_from, name=spec_name(spec)))
    variant = assemble(
        spec,
        overrides=overrides,
        dtype=dtype,
        init=init,
        seed=seed,
        zoo=where_from,
        verify=True,
    )
    variant.save(target, overwrite=overwrite)
    return variant


def load(
    path: str | Path,
    *,
    overrides: Sequence[str] = (),
    device: str | torch.device = "cpu",
    dtype: str | torch.dtype | None = None,
    zoo: Zoo | None = None,
    plugins: Iterable[str | Path] = (),
    verify: bool | None = None,
) -> Variant:
    """Loads what ``Variant.save`` wrote, or a PerceptionLM as it was published.

    A published one is asked as PerceptionLM's own code asks it, whatever its format.
    ``processor.layout=hf`` makes the ids of transformers' processor instead, and
    ``image_tiler.resize=torchvision`` and ``frame_transform.resize=torchvision`` its pixels.

    Args:
        path: A directory of ours; a Hugging Face PerceptionLM (``config.json``), here or on the
            hub (``facebook/Perception-LM-1B``); or an original one (``params.json``).
        overrides: Edits of what its spec says, such as ``video_sampler.max_frames=8``.
        device: Where the model goes.
        dtype: Of its parameters; what they were saved in if None.
        zoo: Where parts are looked up; the default zoo if None.
        plugins: Part files to offer beside the zoo, for this call.
        verify: As for :func:`assemble`.

    Raises:
        CheckpointError: not a whole directory, broken weights, or overrides they do not fit.
        UsageError: no path, or no such device or dtype.
        UnsupportedError: a published model that our parts cannot express; says why.
        PluginError: a part is not installed here; says what to install.
        SpecError: overrides that name what does not exist.
        UnfitError: overrides that make parts unfit for each other.
    """
    require_path(path)
    published = read_published(path)
    if published is not None:
        parts = zoo_with(zoo, plugins)
        edited = replace(published, spec=load_spec(published.spec, overrides, zoo=parts, by=OURS))
        return Variant(*assemble_published(edited, device, dtype, parts, verify))
    directory = expanded(path)
    text = read_lock_text(directory)
    lock = Lock.from_json(text, where=str(directory / LOCK_FILE))
    where_from = zoo_with(zoo, plugins)
    require_installed(lock, where_from)
    data = localised(load_spec(directory / SPEC_FILE), directory.resolve())
    data = with_providers_named(data, lock, where_from)
    tree = resolve(load_spec(data, overrides), where_from, name=directory.name)
    saved_in = "float32" if lock.weights is None else lock.weights.dtype
    wish = Wish(
        usable_device(device), as_dtype(dtype or saved_in), verify=verify, base=directory.resolve()
    )
    return Variant(tree, assemble_tree(tree, where_from, wish))
