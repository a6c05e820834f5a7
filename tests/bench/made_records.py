"""Made-up records: an operation of two sizes with a winner, an oracle, and others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from plm_components.bench.record import Record, Verdict
from plm_components.bench.report.runs import Run

ROUNDS = 40
PEAKS = {"flops_per_s": 6e14, "bytes_per_s": 3e12}


def record(part: str, seconds: float | None, **given: Any) -> Record:
    """One that took so long; ``refused`` or ``fault`` where it got no time."""
    fault, refused = given.pop("fault", None), given.pop("refused", None)
    error, seed = given.pop("error", 1.0), given.pop("seed", 0)
    usual: dict[str, Any] = {
        "operation": "attention/prefill",
        "kind": "attention",
        "sizes": {"num_heads": 16, "num_keys": 1024},
        "dtype": "bfloat16",
        "device": "cuda",
        "backward": False,
        "mode": "cold",
        "provider": "plm-components",
        "version": "0.1.0",
        "precision": "exact",
        "flops": 4e9,
        "bytes": 8e6,
        "peak_bytes": 1 << 20,
        "roofline_s": 4e9 / 6e14,
        "conditions": {"clocks locked": False, "roofline": PEAKS},
        "oracle": "attention/eager",
    }
    return Record(
        part=part,
        verdict=None if refused else Verdict(error, error, error**2, fault),
        refused=refused,
        rounds_s=() if seconds is None else _rounds(part, seconds, seed),
        **{**usual, **given},
    )


def _rounds(part: str, seconds: float, seed: int) -> tuple[float, ...]:
    """Drift that all contenders of a run share, and a jitter of each."""
    shared = np.random.default_rng(seed)
    own = np.random.default_rng([seed, *part.encode()])
    drift = np.cumsum(0.01 * shared.standard_normal(ROUNDS))
    jitter = 0.003 * own.standard_normal(ROUNDS)
    return tuple((seconds * np.exp(drift + jitter)).tolist())


def records(slower: float = 1.0, seed: int = 0) -> tuple[Record, ...]:
    """Six contenders at two sizes."""
    return tuple(one for keys in (1024, 4096) for one in _field(keys, slower, seed))


def _field(keys: int, slower: float, seed: int) -> list[Record]:
    size: Mapping[str, int] = {"num_heads": 16, "num_keys": keys}
    unit = keys / 1024 * 1e-5 * slower
    same: dict[str, Any] = {"sizes": size, "seed": seed, "flops": 4e6 * keys}
    return [
        record("attention/eager", 8 * unit, **same),
        record("attention/sdpa", 2 * unit, error=0.9, **same),
        record("attention/flex", 4 * unit, error=1.4, **same),
        record("plm-loose:attention/fp8", unit, error=37.0, precision="fast", **same),
        record("attention/wrong", None, fault="largest error 3.2 against float64", **same),
        record("attention/xformers", None, refused="it needs xformers>=0.0.34", **same),
    ]


def run(name: str = "h100", when: str = "2026-11-27T03:00:00", **given: Any) -> Run:
    """A file of them."""
    slower = given.pop("slower", 1.0)
    usual: dict[str, Any] = {
        "name": f"{name}.json",
        "when": when,
        "commit": "0123456789ab",
        "hardware": f"NVIDIA {name.upper()}",
        "slug": name,
        "facts": {"torch": "2.11.0", "threads": 16},
        "records": records(slower, seed=len(when)),
    }
    return Run(**{**usual, **given})
