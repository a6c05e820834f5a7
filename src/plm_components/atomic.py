"""Directories and files that appear whole or not at all.

Everything is written into a hidden sibling, flushed to the disk, and renamed. A directory that is
replaced is exchanged in one system call where the kernel can (Linux ``renameat2``), so a reader,
or a machine that stops, sees the old one or the new one.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


@contextmanager
def atomic_directory(target: Path) -> Iterator[Path]:
    """Yields an empty directory that takes the place of ``target`` when the block ends well.

    Whether ``target`` may be replaced is the caller's decision, made before.

    Args:
        target: The directory to create or replace; its parents are created.

    Raises:
        OSError: nothing is left behind, and ``target`` is as it was.
    """
    target = target.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{target.name}.saving-", dir=target.parent))
    try:
        staging.chmod(0o777 & ~_umask())
        yield staging
        _flush_tree(staging)
        _put_in_place(staging, target)
        _flush(target.parent)
    finally:
        # after an exchange this is the old directory, after a failure the unfinished one
        shutil.rmtree(staging, ignore_errors=True)


@contextmanager
def atomic_file(target: Path, *, overwrite: bool) -> Iterator[Path]:
    """Yields a path to write to; the file takes the place of ``target`` when the block ends well.

    Args:
        target: The file to create or replace; its directory exists.
        overwrite: Replace a file that is there; without it, one that appeared meanwhile stays.

    Raises:
        FileExistsError: something is there and may not be replaced.
        OSError: nothing is left behind, and ``target`` is as it was.
    """
    target = target.resolve()
    descriptor, name = tempfile.mkstemp(
        prefix=f".{target.name}.saving-", suffix=target.suffix, dir=target.parent
    )
    os.close(descriptor)
    staging = Path(name)
    try:
        staging.chmod(0o666 & ~_umask())
        yield staging
        _flush(staging)
        if overwrite:
            staging.replace(target)
        else:
            _put_where_nothing_is(staging, target)
        _flush(target.parent)
    finally:
        staging.unlink(missing_ok=True)


def _put_where_nothing_is(staging: Path, target: Path) -> None:
    try:
        os.link(staging, target)
    except FileExistsError:
        raise
    except OSError:
        # a file system without hard links: look, then rename
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        staging.rename(target)


def _umask() -> int:
    # mkdtemp makes the directory private; what we publish has the permissions mkdir would give
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _flush_tree(directory: Path) -> None:
    for folder, _, names in os.walk(directory):
        for name in names:
            _flush(Path(folder) / name)
        _flush(Path(folder))


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _put_in_place(staging: Path, target: Path) -> None:
    if not target.exists() or not any(target.iterdir()):
        staging.rename(target)
    elif not _exchange(staging, target):
        _swap_in_two_steps(staging, target)


def _exchange(first: Path, second: Path) -> bool:
    """Swaps two directories in one step; False where the system cannot."""
    if not sys.platform.startswith("linux"):
        return False
    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    if rename is None:
        return False
    result: int = rename(
        _AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), _RENAME_EXCHANGE
    )
    return result == 0


def _swap_in_two_steps(staging: Path, target: Path) -> None:
    aside = staging.with_name(staging.name + "-old")
    target.rename(aside)
    try:
        staging.rename(target)
    except OSError:
        with suppress(OSError):
            aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)
