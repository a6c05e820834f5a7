"""Compiles every Triton kernel for GPUs that need not be here; prints what each reads and writes.

    python tests/kernels/compile_kernels.py 80 90

Run by ``test_triton_compiles.py`` in a process of its own, where nothing is interpreted.
"""

from __future__ import annotations

import json
import re
import sys
from importlib import import_module
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

# arguments that are numbers in every kernel; all others are sizes and strides
_CONSTANTS: dict[str, dict[str, Any]] = {
    "pooling.pool": {"WINDOW": 2, "GELU": True, "ROWS": 2, "CHANNELS": 1024},
    "pooling.pool_backward": {"WINDOW": 2, "GELU": True, "ROWS": 2, "CHANNELS": 1024},
    "norms.rms_norm": {"EPS": 1e-5, "ADD": True, "ROWS": 1, "DIM": 2048},
    "norms.rms_norm_backward": {"ADD": True, "WEIGHT": True, "ROWS": 1, "DIM": 2048},
    "swiglu.swiglu": {"ROWS": 1, "CHANNELS": 1024},
    "swiglu.swiglu_backward": {"ROWS": 1, "CHANNELS": 1024},
    "rotary.move_heads": {
        "BACK": True,
        "HALF": 32,
        "CHANNELS": 32,
        "HEADS": 8,
        "POSITIONS": 8,
    },
}
_BITS = {"bf16": 16, "fp32": 32}
# fp32 whatever the tensors are
_WIDE = {"scale_ptr", "partial_ptr", "cos_ptr", "sin_ptr"}


def source(name: str, dtype: str) -> ASTSource:
    """A kernel as it is called with aligned, contiguous tensors."""
    module, _, function = name.partition(".")
    kernel = getattr(import_module(f"plm_components.kernels.{module}.triton_kernels"), function)
    constants = {**_CONSTANTS[name], "BITS": _BITS[dtype]}
    # rotary knows 32 and 64
    constants["BITS"] = max(32, constants["BITS"]) if module == "rotary" else constants["BITS"]
    constants |= {arg: 1 for arg in kernel.arg_names if arg.endswith("stride_c")}
    types = {arg: _type(arg, dtype, constants) for arg in kernel.arg_names}
    aligned = {
        (index,): [["tt.divisibility", 16]]
        for index, arg in enumerate(kernel.arg_names)
        if types[arg] != "constexpr"
    }
    return ASTSource(kernel, types, constants, aligned)


def _type(arg: str, dtype: str, constants: dict[str, Any]) -> str:
    if arg in constants:
        return "constexpr"
    if arg.endswith("_ptr"):
        return "*fp32" if arg in _WIDE else f"*{dtype}"
    return "i32"


def main(capabilities: list[int]) -> None:
    """One line of JSON: kernel, dtype and capability -> its instructions on global memory."""
    found: dict[str, list[str]] = {}
    for name in _CONSTANTS:
        for capability in capabilities:
            for dtype in _BITS:
                target = GPUTarget("cuda", capability, 32)
                compiled = triton.compile(source(name, dtype), target=target)
                access = re.findall(r"\b(?:ld|st)\.global\S*", compiled.asm["ptx"])
                found[f"{name} {dtype} sm_{capability}"] = access
    print(json.dumps(found))


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]])
