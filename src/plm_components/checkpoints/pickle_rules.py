"""What the pickle of a ``.pth`` file may say, checked instruction by instruction, none obeyed.

``torch.load(weights_only=True)`` runs no code, but it still calls what it trusts
(``bytearray(10**12)``), it trusts what other libraries register, and some sequences of
instructions copy one object again and again. A state dict needs very little of all that.
"""

from __future__ import annotations

import pickletools
from pathlib import Path

from plm_components.errors import CheckpointError

_STORAGES = "Double Float Half BFloat16 Long Int Short Char Byte Bool"
_GLOBALS = {
    "collections OrderedDict",
    "torch._utils _rebuild_tensor_v2",
    "torch._utils _rebuild_parameter",
    *(f"torch {kind}Storage" for kind in _STORAGES.split()),
}
# size and stride of a tensor, the arguments of the functions above: never longer
_MAX_TUPLE = 16
# a state dict keeps its versions in an attribute; one for each dict that was saved
_MAX_BUILDS = 16


def check_pickle(pickle: bytes, path: Path) -> None:
    """Refuses a pickle that does anything but list tensors.

    Args:
        pickle: ``data.pkl``.
        path: Of the ``.pth`` file, for the message.

    Raises:
        CheckpointError: it asks for something else; nothing of it was run.
        ValueError: it is no pickle.
    """
    items = [0]
    builds = 0
    # how many items the tuple on top of the stack has; None where it may be a copy of another
    arguments: int | None = None
    for operation, argument, _ in pickletools.genops(pickle):
        name = operation.name
        if name == "MARK":
            items.append(0)
            continue
        if "PUT" in name:
            continue
        if name == "GLOBAL" and argument not in _GLOBALS:
            raise _foreign(str(argument), path)
        if name in ("STACK_GLOBAL", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4"):
            raise _foreign(f"an object ({name})", path)
        if name == "REDUCE" and arguments in (None, 1, 2):
            raise ValueError("its pickle calls something in a way that torch.save never writes")
        builds += name == "BUILD"
        before, after = operation.stack_before, operation.stack_after
        if pickletools.stackslice in before:
            count = items.pop()
            items[-1] += len(after) - (len(before) - 2)
        else:
            count = len(before)
            items[-1] += len(after) - len(before)
        arguments = count if after == [pickletools.pytuple] else None
        if (arguments or 0) > _MAX_TUPLE or builds > _MAX_BUILDS:
            raise ValueError("its pickle says things that torch.save never writes")


def _foreign(wanted: str, path: Path) -> CheckpointError:
    return CheckpointError(
        f"The file asks to run {wanted.replace(' ', '.', 1)}; it was not run.",
        where=str(path),
        expected="tensors in dictionaries and nothing else: torch.save(model.state_dict(), path)",
        fix="get the weights as safetensors; do not open this file with torch.load",
    )
