"""What parts with weights promise: building, weights, gradients, rows that do not mix."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from plm_components.assembly.build import placed
from plm_components.testing.checks.stimuli import Inputs, Stimulus
from plm_components.testing.outcome import NotApplicable, expect
from plm_components.testing.roster import check
from plm_components.testing.subject import Subject

MODULES = ("vision_encoder", "projector", "decoder", "decoder_block")


@check(*MODULES)
def builds_on_meta(subject: Subject) -> None:
    """Built on the meta device it holds no memory at all."""
    part = subject.build(device="meta")
    held = [name for name, tensor in _tensors(part) if tensor.device.type != "meta"]
    expect(not held, f"allocated {held[0] if held else ''}: a tensor made with a fixed device")


@check(*MODULES)
def meta_equals_direct(subject: Subject) -> None:
    """Built on meta, emptied, buffers recomputed, weights loaded: the outputs of a direct build."""
    direct = subject.build_random()
    late = subject.build(device="meta").to_empty(device=subject.device)
    for _, tensor in _tensors(late):
        poison(tensor)
    with placed(subject.device, torch.float32):  # as the assembler does it
        late.init_buffers()
    late.load_state_dict(direct.state_dict())
    _expect_same_outputs(subject, direct, late.eval(), "a non-persistent buffer is not recomputed")


@check(*MODULES)
def state_dict_round_trip(subject: Subject) -> None:
    """The state dict, loaded strictly into a differently seeded copy, gives the same outputs."""
    first, second = subject.build_random(seed=1), subject.build_random(seed=2)
    second.load_state_dict(first.state_dict())
    _expect_same_outputs(subject, first, second, "something that matters is outside the state dict")


@check(*MODULES)
def init_weights_fills_all(subject: Subject) -> None:
    """init_weights writes every parameter, and the generator decides all of them."""
    # on the CPU, where the assembler fills parts, so that a seed means the same everywhere
    first, second = subject.build(device="cpu"), subject.build(device="cpu")
    for part in (first, second):
        for parameter in part.parameters():
            poison(parameter)
        part.init_weights(torch.Generator().manual_seed(3))
        # what is drawn from the global generator would now differ
        torch.rand(1)
    for (name, one), other in zip(first.named_parameters(), second.parameters(), strict=True):
        expect(bool(torch.isfinite(one).all()), f"{name} keeps what was in memory")
        expect(torch.equal(one, other), f"{name} does not follow the generator")


@check(*MODULES)
def gradients_reach_parameters(subject: Subject) -> None:
    """Every parameter gets a gradient, except those named in unused_parameters."""
    part = roughened(subject.build_random())
    with torch.enable_grad():
        stimulus = Stimulus(subject)
        output = stimulus.final(part, stimulus.inputs(part))
        # a plain sum is constant behind a LayerNorm
        weights = torch.linspace(-1, 1, output.numel()).to(output).view_as(output)
        torch.autograd.backward((output * weights).sum())
    unused = set(getattr(part, "unused_parameters", ()))
    reached = {name for name, p in part.named_parameters() if p.grad is not None and p.grad.any()}
    names = {name for name, p in part.named_parameters() if p.requires_grad}
    expect(
        unused <= names, f"unused_parameters names {_some(unused - names)}, which is no parameter"
    )
    expect(names <= reached | unused, f"no gradient reaches {_some(names - reached - unused)}")
    expect(not unused & reached, f"{_some(unused & reached)} is named unused but gets a gradient")


@check(*MODULES)
def float32_close(subject: Subject) -> None:
    """In float32 it returns float32, and stays within 1e-5 of its own float64."""
    stimulus, part = Stimulus(subject), subject.build_random()
    inputs = stimulus.inputs(part)
    output = stimulus.output(part, inputs)
    expect(output.dtype == torch.float32, f"float32 in, {output.dtype} out")
    exact = _widest(subject, part, inputs)
    if exact.dtype != torch.float64:
        raise NotApplicable("it takes no float64 to be compared with")
    error = _distance(output, exact)
    expect(error < 1e-5, f"relative RMS error {error:.3g} against float64; 1e-5 is allowed")


@check(*MODULES)
def low_precision_close(subject: Subject) -> None:
    """In bfloat16 it errs at most four times what rounding its weights and inputs to it costs."""
    stimulus, part = Stimulus(subject), subject.build_random()
    inputs = stimulus.inputs(part)
    exact, rounded = (
        _widest(subject, part, inputs, through) for through in (torch.float32, torch.bfloat16)
    )
    low = stimulus.output(part.to(torch.bfloat16), _cast(inputs, torch.bfloat16))
    expect(low.dtype == torch.bfloat16, f"bfloat16 in, {low.dtype} out")
    # the output is rounded too: half a unit at most, evenly spread
    unit = torch.finfo(torch.bfloat16).eps * 12**-0.5
    error, allowed = _distance(low, exact), 4 * _distance(rounded, exact) + unit
    seen = f"relative RMS error {error:.3g} in bfloat16 against {exact.dtype}"
    expect(error <= allowed, f"{seen}; rounding weights and inputs allows {allowed:.3g}")


@check(*MODULES)
def rows_do_not_mix(subject: Subject) -> None:
    """A row alone gives what it gives within a batch."""
    part = subject.build_random()
    stimulus = Stimulus(subject)
    (x,) = stimulus.inputs(part, rows=3)
    together = stimulus.output(part, (x,))
    alone = torch.cat([stimulus.output(part, (x[row : row + 1],)) for row in range(3)])
    expect(close(together, alone), f"differs by {gap(together, alone):.3g} from each row alone")


@check(*MODULES)
def deterministic(subject: Subject) -> None:
    """Evaluated twice on one input it gives the same bits, and leaves the input as it was."""
    part = subject.build_random()
    stimulus = Stimulus(subject)
    (x,) = stimulus.inputs(part)
    before = x.clone()
    first, second = stimulus.output(part, (x,)), stimulus.output(part, (x,))
    expect(torch.equal(first, second), f"two runs differ by {gap(first, second):.3g}")
    expect(torch.equal(x, before), "the input was written to")


def _widest(
    subject: Subject, part: Any, inputs: Inputs, through: torch.dtype = torch.float32
) -> Tensor:
    """The output in float64, or in float32 of a part that takes no float64.

    Args:
        subject: The part under test.
        part: Built, in float32; it is left as it is.
        inputs: In float32.
        through: Weights and inputs are rounded to this first.
    """
    for dtype in (torch.float64, torch.float32):
        wide = deepcopy(part).to(through).to(dtype)
        try:
            return Stimulus(subject).output(wide, _cast(_cast(inputs, through), dtype))
        except Exception:
            # no contract asks for float64, and some kernels have none
            if dtype == torch.float32:
                raise
    raise AssertionError("unreachable")


def _distance(output: Tensor, exact: Tensor) -> float:
    """Relative root-mean-square difference."""
    difference = (output.double() - exact.double()).square().mean().sqrt()
    return float(difference / exact.double().square().mean().sqrt().clamp(min=1e-12))


def roughened(part: Any) -> Any:
    """Noise on every parameter: a gate that starts at zero must not hide what is behind it."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in part.parameters():
            parameter += 0.05 * torch.randn(parameter.shape, generator=generator).to(parameter)
    return part


def poison(tensor: Tensor) -> None:
    """Overwrites a tensor with what no result survives: NaN, or the largest integer."""
    with torch.no_grad():
        if tensor.is_floating_point() or tensor.is_complex():
            tensor.fill_(torch.nan)
        elif tensor.dtype != torch.bool:
            tensor.fill_(torch.iinfo(tensor.dtype).max)


def close(one: Tensor, other: Tensor, tolerance: float = 1e-4) -> bool:
    """Equal shapes, and equal to fp32 rounding relative to the largest value."""
    if one.shape != other.shape:
        return False
    return gap(one, other) <= tolerance * max(1e-6, float(other.abs().max()))


def gap(one: Tensor, other: Tensor) -> float:
    """Largest difference; infinite for different shapes."""
    if one.shape != other.shape:
        return torch.inf
    # written so that NaN counts as a difference
    return float((one - other).abs().nan_to_num(nan=torch.inf).max())


def _expect_same_outputs(subject: Subject, one: Any, other: Any, why: str) -> None:
    stimulus = Stimulus(subject)
    inputs = stimulus.inputs(one)
    want, got = stimulus.final(one, inputs), stimulus.final(other, inputs)
    expect(close(got, want), f"outputs differ by {gap(got, want):.3g}: {why}")


def _tensors(part: nn.Module) -> list[tuple[str, Tensor]]:
    return [*part.named_parameters(), *part.named_buffers()]


def _cast(inputs: Inputs, dtype: torch.dtype) -> Inputs:
    return tuple(x.to(dtype) if x.is_floating_point() else x for x in inputs)


def _some(names: set[str]) -> str:
    first = sorted(names)[:3]
    return ", ".join(first) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
