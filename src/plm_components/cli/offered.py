"""The zoo of one command line: everything installed, and the part files offered with it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from plm_components.zoo import Zoo


def offered_zoo(plugins: Sequence[str]) -> Zoo:
    """Discovers the zoo and adds each ``--plugin`` file; tells names that mean no plugin.

    Args:
        plugins: Paths of part files.

    Raises:
        PluginError: a file that cannot be read or registers nothing.
    """
    zoo = Zoo.discover()
    for complaint in zoo.complaints:
        print(f"note: {complaint}", file=sys.stderr)
    for path in plugins:
        zoo.add_file(Path(path))
    return zoo
