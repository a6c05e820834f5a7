"""A checkpoint of another format, assembled from the spec that its own files amount to."""

from __future__ import annotations

from dataclasses import replace

import torch

from plm_components.assembly.assemble import Assembled, Wish, assemble_tree
from plm_components.assembly.check import as_dtype
from plm_components.assembly.devices import usable_device
from plm_components.checkpoints import Published
from plm_components.spec import SpecTree, resolve
from plm_components.zoo import Zoo


def assemble_published(
    published: Published,
    device: str | torch.device,
    dtype: str | torch.dtype | None,
    zoo: Zoo,
    verify: bool | None,
) -> tuple[SpecTree, Assembled]:
    """Checks, builds and fills it.

    Args:
        published: What its directory says.
        device: Where the model goes.
        dtype: Of its parameters; that of the checkpoint if None.
        zoo: Where parts are looked up.
        verify: As for ``assemble``.
    """
    tree = resolve(published.spec, zoo)
    wanted = as_dtype(dtype or published.dtype)
    assembled = assemble_tree(tree, zoo, Wish(usable_device(device), wanted, verify=verify))
    return tree, replace(assembled, notes=(*published.notes, *assembled.notes))
