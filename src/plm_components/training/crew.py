"""Several processes, one thread each, that share out a step's scenes and average their gradients.

On two cores two processes are almost twice as fast as two threads: the tensors are small, and most
of a step is work that one thread does while the other waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, distributed
from torch.multiprocessing.spawn import spawn

_PATIENCE = timedelta(minutes=10)


class Crew:
    """One process's place among those that train together; alone by default.

    Args:
        rank: Which process this is.
        size: How many there are.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size

    def share(self, seeds: Sequence[int]) -> Sequence[int]:
        """This process's part of a step's scenes."""
        return seeds[self.rank :: self.size]

    def average(self, gradients: Sequence[Tensor]) -> None:
        """Replaces gradients by their mean over the crew, in place."""
        if self.size == 1:
            return
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(flat)
        flat /= self.size
        _fill(gradients, flat)

    def dealt(self, names: Sequence[str]) -> list[list[str]]:
        """Names for each process in turn, like cards."""
        return [list(names[rank :: self.size]) for rank in range(self.size)]

    def spread(self, tensors: Sequence[Sequence[Tensor]]) -> None:
        """Gives every process what each one holds of the tensors that are its own, in place.

        Args:
            tensors: Those of the first process, of the second, …; contiguous, of one dtype.
        """
        if self.size == 1:
            return
        for rank, own in enumerate(tensors):
            flat = torch.cat([tensor.flatten() for tensor in own])
            distributed.broadcast(flat, rank)
            if rank != self.rank:
                _fill(own, flat)


def _fill(tensors: Sequence[Tensor], flat: Tensor) -> None:
    parts = torch.split(flat, [tensor.numel() for tensor in tensors])
    for tensor, part in zip(tensors, parts, strict=True):
        tensor.copy_(part.view_as(tensor))


@contextmanager
def crew_of(size: int, follow: Callable[..., None], *told: Any) -> Iterator[Crew]:
    """Starts the other processes and joins them; they end when the caller does.

    Args:
        size: Processes in all.
        follow: What each of the others runs, as ``follow(crew, *told)``; importable.
        told: Its further arguments, picklable.
    """
    if size == 1:
        yield Crew()
        return
    with TemporaryDirectory() as folder:
        meeting = str(Path(folder) / "meeting")
        others = spawn(  # type: ignore[no-untyped-call]
            _other, (size, meeting, follow, told), nprocs=size - 1, join=False
        )
        try:
            with _joined(0, size, meeting) as crew:
                yield crew
        finally:
            for process in others.processes:
                process.terminate()
                process.join()


def _other(
    index: int, size: int, meeting: str, follow: Callable[..., None], told: Sequence[Any]
) -> None:
    with _joined(index + 1, size, meeting) as crew:
        follow(crew, *told)


@contextmanager
def _joined(rank: int, size: int, meeting: str) -> Iterator[Crew]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{meeting}", rank=rank, world_size=size, timeout=_PATIENCE
    )
    try:
        yield Crew(rank, size)
    finally:
        distributed.destroy_process_group()
        torch.set_num_threads(threads)
