"""Who does not compete, in few lines."""

from __future__ import annotations

from made_records import record

from plm_components.bench.refusals import refusal_lines

NEEDS_CUDA = "is unavailable: it needs cuda, which this machine lacks."
ANOTHER = "is another function than projector/avg_pool_mlp: its weights differ in"
TRITON = "projector/avg_pool_mlp (pooling=triton)"


def refused(part: str, reason: str) -> list[str]:
    return refusal_lines([record(part, None, refused=reason)])


def test_equal_reasons_share_a_line_and_another_function_needs_none() -> None:
    reasons = {
        "projector/linear": f"projector/linear {ANOTHER} linear.bias.",
        "attention/one": f"attention/one {NEEDS_CUDA}",
        "attention/alone": "attention/alone cannot do head_dim 8 on cuda.",
        "projector/resampler": f"projector/resampler {ANOTHER} input.bias and 32 more.",
        "attention/two": f"attention/two {NEEDS_CUDA}",
        TRITON: f"pooling/triton {NEEDS_CUDA}",
    }
    records = [record(part, None, refused=reason) for part, reason in reasons.items()]
    timed = record("attention/eager", 1e-3)
    wrong = record("attention/bad", None, fault="off by 3")
    assert refusal_lines([*records, timed, wrong]) == [
        f"refused: attention/one, attention/two: each {NEEDS_CUDA}",
        "refused: attention/alone cannot do head_dim 8 on cuda.",
        f"refused: {TRITON}: pooling/triton {NEEDS_CUDA}",
        "wrong: attention/bad: off by 3",
        "another function: linear, resampler",
    ]


def test_a_reason_that_names_nobody_is_told_with_the_name() -> None:
    assert refused("attention/x", "OutOfMemoryError: tried 3 GiB") == [
        "refused: attention/x: OutOfMemoryError: tried 3 GiB"
    ]
    # a longer name that begins alike is somebody else's
    assert refused("attention/sdpa", "attention/sdpa_2 cannot.") == [
        "refused: attention/sdpa: attention/sdpa_2 cannot."
    ]
    assert refusal_lines([]) == []
