"""``check``: whether the parts of a spec fit, before a weight is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from plm_components.assembly.budgets import frames_per_video, tiles_per_image
from plm_components.assembly.devices import as_device
from plm_components.assembly.examination import Examination, all_parts
from plm_components.assembly.examine import PartCache, examine
from plm_components.assembly.promises import DTYPES, dtype_name
from plm_components.assembly.repair import mend
from plm_components.assembly.report import Report, Row, Totals
from plm_components.checkpoints import tensors_of
from plm_components.errors import Fault, SpecError, UsageError
from plm_components.spec import load_spec, resolve, spec_name
from plm_components.zoo import Zoo, default_zoo


def check(
    spec: str | Path | Mapping[str, Any],
    overrides: Sequence[str] = (),
    *,
    zoo: Zoo | None = None,
    plugins: Iterable[str | Path] = (),
    device: str | torch.device = "cpu",
    dtype: str | torch.dtype = "float32",
) -> Report:
    """Solves the contracts of a composition on signatures and the meta device.

    Args:
        spec: A shipped spec's name, a path, or a mapping.
        overrides: Edits such as ``projector.pool=4``.
        zoo: Where parts are looked up; the default zoo if None.
        plugins: Part files to offer beside the zoo, for this call.
        device: What it shall run on, for attention kernels.
        dtype: What it shall run in, for attention kernels and the bytes of weights.

    Returns:
        The report; false where something does not fit.

    Raises:
        SpecError: there is no such spec, or it cannot be read as one.
        PluginError: a part file that cannot be used.
        UsageError: no such dtype or device.
    """
    where_from = zoo_with(zoo, plugins)
    dtype, device = as_dtype(dtype), as_device(device).type
    data = load_spec(spec, overrides, zoo=where_from)
    try:
        tree = resolve(data, where_from, name=spec_name(spec))
    except SpecError as error:
        return Report(spec_name(spec), (), Totals(dtype=dtype_name(dtype)), error.faults)
    cache: PartCache = {}
    exam = examine(tree, where_from, device=device, dtype=dtype, cache=cache)
    edits, faults = mend(exam, cache) if exam.findings else ((), ())
    return report_of(exam, edits, faults)


def report_of(
    exam: Examination, edits: tuple[str, ...] = (), faults: tuple[Fault, ...] = ()
) -> Report:
    """The report of an examination."""
    return Report(
        name=exam.tree.name,
        rows=tuple(_rows(exam)),
        totals=_totals(exam),
        faults=faults or tuple(finding.fault for finding in exam.findings),
        edits=edits,
        notes=tuple(exam.notes),
        choices=tuple(exam.choices),
    )


def zoo_with(zoo: Zoo | None, plugins: Iterable[str | Path]) -> Zoo:
    """A zoo that also holds some part files; the given one is not touched."""
    where_from = zoo or default_zoo()
    files = list(plugins)
    if files:
        where_from = where_from.copy()
        for file in files:
            where_from.add_file(file)
    return where_from


def as_dtype(dtype: str | torch.dtype) -> torch.dtype:
    """A dtype by its name.

    Raises:
        UsageError: a name that is none of ours.
    """
    if isinstance(dtype, torch.dtype) and dtype_name(dtype) in DTYPES:
        return dtype
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise UsageError(
            f"There is no dtype {dtype!r}.",
            where="dtype",
            expected=f"one of: {', '.join(DTYPES)}",
            fix="choose one of these",
        )
    found: torch.dtype = getattr(torch, dtype)
    return found


def _rows(exam: Examination) -> Iterable[Row]:
    for part in all_parts(exam.tree):
        instances = exam.parts.instances.get(part.path, [])
        modules = [one for one in instances if isinstance(one, nn.Module)]
        yield Row(
            path=part.path,
            address=part.entry.address,
            provider=str(part.entry.provider),
            count=max(1, len(instances)),
            parameters=num_parameters(modules) if modules else None,
            output=exam.outputs.get(part.path, ""),
        )


def _totals(exam: Examination) -> Totals:
    parts, per_tile = exam.parts, exam.tokens_per_tile
    modules = [parts.vision_encoder, parts.projector, parts.decoder]
    whole = all(isinstance(module, nn.Module) for module in modules)
    tiles, frames = tiles_per_image(exam), frames_per_video(exam)
    return Totals(
        parameters=num_parameters(modules) if whole else None,
        weight_bytes=_num_bytes(modules) if whole else None,
        dtype=dtype_name(exam.dtype),
        tokens_per_tile=per_tile,
        tokens_per_image=tiles * per_tile if tiles and per_tile else None,
        tokens_per_video=frames * per_tile if frames and per_tile else None,
        max_positions=None if parts.decoder is None else parts.decoder.max_positions,
        largest_request=exam.largest_request,
    )


def num_parameters(modules: Iterable[nn.Module]) -> int:
    """Elements of all parameters of some modules, shared ones once."""
    unique = {id(p): p.numel() for module in modules for p in module.parameters()}
    return sum(unique.values())


def _num_bytes(modules: Iterable[nn.Module]) -> int:
    tensors = (t for module in modules for t in tensors_of(module).tensors.values())
    return sum({id(tensor): tensor.nbytes for tensor in tensors}.values())
