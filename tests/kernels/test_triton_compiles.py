"""Triton's compiler takes every kernel, with or without a GPU at hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


def test_kernels_compile_and_move_16_bytes_at_once(tmp_path) -> None:
    script = Path(__file__).parent / "compile_kernels.py"
    run = subprocess.run(
        [sys.executable, str(script), "90"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)},
    )
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert len(found) == 14
    for kernel, access in found.items():
        whole = [one for one in access if ".v4.b32" in one]
        # beside them: one number a row, and half a row of rotary's tables
        assert len(whole) >= 0.6 * len(access), (kernel, access)
        assert {one.split(".")[0] for one in whole} == {"ld", "st"}, kernel
