"""``attention: auto``: what it takes, why, and what it refuses to take."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from plm_components.contracts import (
    AttentionCall,
    AttentionSupport,
    Causal,
    CausalCached,
    Documents,
    Full,
    Mask,
)
from plm_components.errors import (
    MeasurementError,
    PlmError,
    ShapeError,
    UnavailableError,
    UnsupportedError,
)
from plm_components.kernels.attention.auto import AutoAttention
from plm_components.kernels.attention.hardware import machine_of
from plm_components.measured import Machine, Row, Table, devices_here, write_table
from plm_components.spec import offers_of
from plm_components.zoo import Zoo
from plm_components.zoo.registry import default_zoo

CPU = torch.device("cpu")
ANY = AttentionSupport(
    masks=frozenset({Full, Causal, Documents, CausalCached}),
    dtypes=frozenset({torch.float32, torch.bfloat16}),
    devices=frozenset({"cpu", "cuda"}),
    gqa=True,
    backward=frozenset({"cpu", "cuda"}),
)
PREFILL = AttentionCall(Causal, 1, 1024, 1024, torch.float32, CPU)
ROW = Row(
    kind="attention",
    part="attention/quick",
    provider="plm-quick",
    version="1.0",
    mask="Causal",
    dtype="float32",
    backward=False,
    batch=1,
    num_heads=4,
    num_kv_heads=2,
    head_dim=16,
    num_queries=1024,
    num_keys=1024,
    median_s=1e-3,
    error=1.0,
)
SDPA = replace(
    ROW, part="attention/sdpa", provider="plm-components", version="0.1.0", median_s=2e-3
)


def kernel(support: AttentionSupport, answer: float = 7.0) -> type[Any]:
    """An attention that fills its output with one number."""

    class Constant:
        def __init__(self, num_heads: int, num_kv_heads: int, head_dim: int) -> None:
            self.heads = (num_heads, num_kv_heads, head_dim)

        def __call__(self, q: Tensor, k: Tensor, v: Tensor, mask: Mask) -> Tensor:
            return torch.full_like(q, answer)

    Constant.support = support  # type: ignore[attr-defined]
    return Constant


@dataclass
class Offered:
    """An offer that counts how often it was imported."""

    cls: type[Any] | PlmError = field(default_factory=lambda: kernel(ANY))
    name: str = "quick"
    distribution: str = "plm-quick"
    version: str = "1.0"
    status: str = "available"
    reason: str | None = None
    loads: int = 0

    @property
    def address(self) -> str:
        return f"attention/{self.name}"

    def load(self) -> type[Any]:
        self.loads += 1
        if isinstance(self.cls, PlmError):
            raise self.cls
        return self.cls


def candidates(*others: Offered) -> dict[str, Any]:
    """Our own parts and some others."""
    zoo = default_zoo()
    ours = offers_of(zoo, "attention", but=zoo.get("attention", "auto"))
    mine = {name: offer for name, offer in ours.items() if offer.distribution == "plm-components"}
    return {**mine, **{f"{one.distribution}:{one.name}": one for one in others}}


def auto(*others: Offered, **options: Any) -> AutoAttention:
    options.setdefault("candidates", candidates(*others))
    return AutoAttention(4, 2, 16, **options)


def here() -> Machine:
    machine = machine_of(CPU)
    assert machine is not None
    return machine


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Any]:
    """Writes a table of this very processor."""

    def write(*rows: Row, machine: Machine | None = None) -> Path:
        write_table(tmp_path / "table.json", Table(machine or here(), rows))
        return tmp_path / "table.json"

    return write


def inputs(length: int = 9, **options: Any) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(length)
    shapes = ((2, 4, length, 16), (2, 2, length, 16), (2, 2, length, 16))
    q, k, v = (torch.randn(shape, generator=generator).to(**options) for shape in shapes)
    return q, k, v


def test_without_measurements_torchs_own_is_taken() -> None:
    choice = auto().explain(PREFILL)

    assert choice.part == "plm-components:sdpa"
    assert choice.reason == f"not measured on this hardware ({here()}): torch's own operators"
    assert choice.passed_over == ()


def test_it_computes_what_the_part_computes() -> None:
    q, k, v = inputs()
    chosen, part = auto(), default_zoo().get("attention", "sdpa").load()(4, 2, 16)

    assert torch.equal(chosen(q, k, v, Causal()), part(q, k, v, Causal()))
    ((request, choice),) = chosen.choices.items()
    assert (request.mask, request.num_queries, request.num_heads) == (Causal, 8, 8)
    assert choice == chosen.explain(AttentionCall(Causal, 2, 9, 9, torch.float32, CPU))


def test_what_is_not_considered_is_not_imported() -> None:
    quick = Offered()
    auto(quick)(*inputs(), Causal())

    assert quick.loads == 0


def test_the_fastest_in_a_table_of_this_hardware_is_taken(table: Any) -> None:
    eager = replace(SDPA, part="attention/eager", median_s=8e-3)
    chosen = auto(Offered(), table=table(eager, SDPA, ROW))
    choice = chosen.explain(PREFILL)

    assert choice.part == "plm-quick:quick"
    assert choice.reason == (
        f"fastest of 3 measured on {here()} (1 x 4 heads, 1,024 queries, 1,024 keys): 1 ms; "
        f"sdpa 2 ms, eager 8 ms; by {chosen.table}"
    )
    q, k, v = inputs(1000)
    assert bool((chosen(q[:1], k[:1], v[:1], Causal()) == 7).all())


def test_a_choice_is_settled_once_and_remembered(table: Any) -> None:
    quick = Offered()
    chosen = auto(quick, table=table(ROW))
    for length in (800, 1000, 1024, 1400):
        q, k, v = inputs(length)
        chosen(q[:1], k[:1], v[:1], Causal())

    assert quick.loads == 1
    assert len(chosen.choices) == 1


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"mask": "Full"}, "another mask"),
        ({"dtype": "bfloat16"}, "another dtype"),
        ({"backward": True}, "gradients"),
        ({"head_dim": 32}, "another head size"),
        ({"num_kv_heads": 4}, "another grouping"),
        ({"num_queries": 128, "num_keys": 128}, "eight times shorter"),
        ({"num_queries": 8192}, "eight times the queries"),
        ({"num_keys": 8192}, "eight times the keys"),
        ({"batch": 8}, "eight times the rows"),
        ({"part": "attention/auto", "provider": "plm-components"}, "its own time"),
    ],
)
def test_what_was_measured_of_another_computation_does_not_count(
    table: Any, change: dict[str, Any], why: str
) -> None:
    choice = auto(Offered(), table=table(replace(ROW, **change))).explain(PREFILL)

    assert choice.part == "plm-components:sdpa", why
    told = f"no time of Causal in float32 near this shape on {here()}: torch's own operators"
    assert choice.reason == told


@pytest.mark.parametrize(
    "change",
    [
        {"num_queries": 4096, "num_keys": 4096},
        {"num_queries": 256, "num_keys": 256},
        {"batch": 4},
        {"num_heads": 16, "num_kv_heads": 8},
    ],
)
def test_a_factor_of_four_is_near(table: Any, change: dict[str, Any]) -> None:
    choice = auto(Offered(), table=table(replace(ROW, **change))).explain(PREFILL)

    assert choice.part == "plm-quick:quick"


def test_of_several_shapes_the_nearest_decides(table: Any) -> None:
    near = (replace(ROW, num_queries=2048, num_keys=2048, median_s=9e-3),)
    far = (
        replace(ROW, num_queries=4096, num_keys=4096),
        replace(SDPA, num_queries=4096, num_keys=4096),
    )
    sdpa_near = replace(SDPA, num_queries=2048, num_keys=2048, median_s=1e-3)
    choice = auto(Offered(), table=table(*far, *near, sdpa_near)).explain(PREFILL)

    assert choice.part == "plm-components:sdpa"
    assert "fastest of 2 measured" in choice.reason
    assert "2,048 queries" in choice.reason


def test_one_query_is_another_computation(table: Any) -> None:
    decode = replace(ROW, mask="CausalCached", num_queries=1, num_keys=1024)
    chosen = auto(Offered(), table=table(decode))
    call = AttentionCall(CausalCached, 1, 1, 1000, torch.float32, CPU)

    assert chosen.explain(call).part == "plm-quick:quick"
    assert chosen.explain(replace(call, num_queries=2)).part == "plm-components:sdpa"


def test_gradients_are_chosen_for_apart(table: Any) -> None:
    chosen = auto(Offered(), table=table(replace(ROW, backward=True)))
    q, k, v = inputs(1024)
    with torch.enable_grad():
        chosen(q[:1], k[:1], v[:1].requires_grad_(), Causal())
    with torch.no_grad():
        chosen(q[:1], k[:1], v[:1].requires_grad_(), Causal())

    parts = {request.backward: choice.part for request, choice in chosen.choices.items()}
    assert parts == {True: "plm-quick:quick", False: "plm-components:sdpa"}


@pytest.mark.parametrize(
    ("offer", "why"),
    [
        (
            Offered(status="unavailable", reason="needs quick, which is not installed"),
            "unavailable: needs quick, which is not installed",
        ),
        (
            Offered(UnavailableError("It needs cuda.", where="", expected="", fix="")),
            "It needs cuda",
        ),
        (Offered(kernel(replace(ANY, gqa=False))), "it cannot do grouped queries"),
        (
            Offered(kernel(replace(ANY, masks=frozenset({Full}), head_dims=frozenset({64})))),
            "it cannot do a Causal mask, head_dim 16",
        ),
        (
            Offered(kernel(replace(ANY, precision="fast"))),
            "it is fast and less exact, which needs precision: fast",
        ),
        (Offered(object), "it does not say what it supports"),
        (
            Offered(type("Broken", (), {"support": ANY})),
            "it cannot be built: TypeError: Broken() takes no arguments",
        ),
        (Offered(version="1.1"), "measured in 1.0, here is 1.1"),
        (
            Offered(version="1.0 with flash-attn 2.8.3"),
            "measured in 1.0, here is 1.0 with flash-attn 2.8.3",
        ),
        (
            Offered(version="1.1", status="unavailable", reason="needs flash-attn"),
            "unavailable: needs flash-attn",
        ),
        (Offered(distribution="plm-other"), "of plm-quick, which is not here"),
    ],
    ids=lambda value: "" if isinstance(value, str) else type(value).__name__,
)
def test_a_faster_part_that_is_passed_over_is_told(table: Any, offer: Offered, why: str) -> None:
    choice = auto(offer, table=table(ROW, SDPA)).explain(PREFILL)

    assert choice.part == "plm-components:sdpa"
    assert choice.passed_over == (f"attention/quick 1 ms, {why}",)
    assert choice.reason.startswith("fastest that may be taken of 2 measured on ")
    assert (
        str(choice) == f"{choice.part}, {choice.reason} (passed over: attention/quick 1 ms, {why})"
    )


def test_fast_parts_are_taken_where_that_is_said(table: Any) -> None:
    fast = Offered(kernel(replace(ANY, precision="fast")))
    exactly = auto(fast, table=table(ROW, SDPA)).explain(PREFILL)
    choice = auto(fast, table=table(ROW, SDPA), precision="fast").explain(PREFILL)

    told = "; precision: fast would take plm-quick:quick, but it is fast and less exact"
    assert exactly.reason.endswith(f"table.json{told}")
    assert choice.part == "plm-quick:quick"
    assert "precision" not in str(choice)


def test_fast_gradients_are_taken_where_that_is_said() -> None:
    backward = replace(PREFILL, backward=True)

    assert str(auto().explain(backward)) == (
        f"plm-components:eager, not measured on this hardware ({here()}): torch's own operators; "
        "precision: fast would take plm-components:sdpa, but its gradients are fast and less exact "
        "(passed over: plm-components:sdpa: its gradients are fast and less exact, which needs "
        "precision: fast)"
    )
    assert str(auto(precision="fast").explain(backward)) == (
        f"plm-components:sdpa, not measured on this hardware ({here()}): torch's own operators"
    )
    # without gradients theirs is no matter
    assert auto().explain(PREFILL) == auto(precision="fast").explain(PREFILL)


def test_fast_gradients_that_were_measured_are_told(table: Any) -> None:
    times = [replace(row, backward=True) for row in (ROW, SDPA)]
    eager = replace(times[1], part="attention/eager", median_s=8e-3)
    fast = Offered(kernel(replace(ANY, gradient_precision="fast")))
    rows, backward = table(*times, eager), replace(PREFILL, backward=True)
    why = "its gradients are fast and less exact"
    needs = f"{why}, which needs precision: fast"

    assert str(auto(fast, table=rows).explain(backward)) == (
        f"plm-components:eager, fastest that may be taken of 3 measured on {here()} (1 x 4 heads, "
        f"1,024 queries, 1,024 keys): 8 ms; by {rows}; precision: fast would take plm-quick:quick, "
        f"but {why} (passed over: attention/quick 1 ms, {needs}; attention/sdpa 2 ms, {needs})"
    )
    assert auto(fast, table=rows, precision="fast").explain(backward).part == "plm-quick:quick"


def test_with_gradients_the_output_counts_as_well(table: Any) -> None:
    fast = Offered(kernel(replace(ANY, precision="fast")))
    rows = table(replace(ROW, backward=True))
    choice = auto(fast, table=rows).explain(replace(PREFILL, backward=True))

    assert choice.part == "plm-components:eager"
    assert choice.passed_over[0] == (
        "attention/quick 1 ms, it is fast and less exact, which needs precision: fast"
    )


def test_where_all_gradients_are_fast_there_is_no_exact_kernel() -> None:
    lone = {"plm-quick:quick": Offered(kernel(replace(ANY, gradient_precision="fast")))}
    with pytest.raises(UnsupportedError) as caught:
        auto(candidates=lone).explain(replace(PREFILL, backward=True))

    assert caught.value.what == (
        "attention/auto has no kernel for Causal in float32 on cpu, with gradients (head_dim 16, 2 "
        "to a key/value head, about 1,024 queries by 1,024 keys): plm-quick:quick: its gradients "
        "are fast and less exact, which needs precision: fast."
    )


def test_a_table_of_other_hardware_does_not_count_and_says_so(table: Any) -> None:
    other = Machine("cuda", "NVIDIA H100 80GB HBM3", "2.11.0", 8)
    chosen = auto(Offered(), table=table(ROW, machine=other))
    choice = chosen.explain(PREFILL)

    assert choice.part == "plm-components:sdpa"
    assert choice.reason == (
        f"not measured on this hardware ({here()}): torch's own operators; "
        f"{chosen.table} is of NVIDIA H100 80GB HBM3 and does not count here"
    )


def test_another_torch_is_told(table: Any) -> None:
    old = replace(here(), torch="1.0")
    choice = auto(Offered(), table=table(ROW, machine=old)).explain(PREFILL)

    assert choice.part == "plm-quick:quick"
    assert f"measured with torch 1.0, here is {torch.__version__}" in choice.reason


def test_the_same_table_gives_the_same_choice_in_any_order(table: Any) -> None:
    tie = replace(SDPA, median_s=ROW.median_s)
    calls = [replace(PREFILL, num_queries=n, num_keys=n) for n in (1400, 730, 1024)]
    picked = []
    for rows, order in (((ROW, tie), calls), ((tie, ROW), calls[::-1])):
        chosen = auto(Offered(), table=table(*rows))
        picked.append({call: chosen.explain(call) for call in order})

    assert picked[0] == picked[1]
    assert {choice.part for choice in picked[0].values()} == {"plm-quick:quick"}


def test_an_untested_kernel_is_never_taken() -> None:
    lone = {"plm-quick:quick": Offered()}
    with pytest.raises(UnsupportedError) as caught:
        auto(candidates=lone).explain(PREFILL)

    assert str(caught.value) == (
        "attention/auto has no kernel for Causal in float32 on cpu (head_dim 16, 2 to a key/value "
        "head, about 1,024 queries by 1,024 keys): plm-quick:quick: no test has run it on this "
        "hardware.\n"
        "  where:    attention/auto\n"
        "  expected: a kernel that can do this, and that a test has run on this hardware\n"
        "  fix:      ask for what one of them can do, install one that can, or measure those that "
        "can: plm bench SPEC --tune FILE, then table: FILE"
    )


@pytest.mark.parametrize(
    ("change", "taken"),
    [
        ({}, True),
        ({"num_queries": 64, "num_keys": 64}, True),
        ({"backward": True}, True),
        ({"dtype": "bfloat16"}, False),
        ({"mask": "Full"}, False),
        ({"version": "0.9"}, False),
    ],
)
def test_a_row_vouches_for_its_mask_and_dtype(
    table: Any, change: dict[str, Any], taken: bool
) -> None:
    lone = {"plm-quick:quick": Offered()}
    chosen = auto(candidates=lone, table=table(replace(ROW, **change)))
    call = replace(PREFILL, num_queries=20_000, num_keys=20_000)
    if taken:
        assert chosen.explain(call).reason == (
            f"no time of Causal in float32 near this shape on {here()}: "
            "it passed the gate on this hardware"
        )
    else:
        with pytest.raises(UnsupportedError, match="no test has run it on this hardware"):
            chosen.explain(call)


def test_portable_kernels_and_ours_on_a_processor_need_no_row() -> None:
    portable = {"plm-quick:quick": Offered(kernel(replace(ANY, portable=True)))}
    ours = {"plm-components:quick": Offered(distribution="plm-components")}

    assert auto(candidates=portable).explain(PREFILL).part == "plm-quick:quick"
    assert auto(candidates=ours).explain(PREFILL).reason.endswith("tested on processors")
    with pytest.raises(UnsupportedError, match="no test has run it"):
        auto(candidates=ours).explain(replace(PREFILL, device=torch.device("cuda")))


def test_a_call_that_nothing_can_do_is_refused_with_what_each_lacks() -> None:
    with pytest.raises(UnsupportedError) as caught:
        auto().explain(replace(PREFILL, device=torch.device("xpu")))

    assert "plm-components:sdpa: it cannot do device xpu" in caught.value.what
    assert "plm-components:eager: it cannot do device xpu" in caught.value.what


def test_without_any_other_part_there_is_nothing_to_choose() -> None:
    with pytest.raises(UnsupportedError, match="there is no other attention"):
        auto(candidates={})(*inputs(), Full())


def test_a_device_that_is_not_here_is_answered_for() -> None:
    absent = next(name for name in ("cuda", "mps") if machine_of(torch.device(name)) is None)
    choice = auto().explain(replace(PREFILL, device=torch.device(absent)))

    assert choice.part == "plm-components:sdpa"
    assert choice.reason == f"no {absent} device is here, so no table counts: torch's own operators"


def test_shapes_on_meta_need_no_measurement() -> None:
    q, k, v = inputs(device="meta")
    chosen = auto()

    assert chosen(q, k, v, Causal()).shape == q.shape
    assert [choice.part for choice in chosen.choices.values()] == ["plm-components:sdpa"]


def test_a_table_that_cannot_be_read_is_an_error_when_it_is_built(tmp_path: Path) -> None:
    with pytest.raises(MeasurementError, match="No such file"):
        auto(table=tmp_path / "none.json")


def test_a_table_is_read_again_when_it_has_changed(table: Any) -> None:
    path = table(SDPA, ROW)
    assert auto(Offered(), table=path).explain(PREFILL).part == "plm-quick:quick"
    table(SDPA)

    assert auto(Offered(), table=path).explain(PREFILL).part == "plm-components:sdpa"


def test_wrong_heads_are_refused() -> None:
    q, k, v = inputs()
    with pytest.raises(ShapeError, match="Attention over 2 query and 2 key/value heads"):
        auto()(q[:, :2], k, v, Full())


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_copy_chooses_anew(copied: Any) -> None:
    chosen = auto()
    q, k, v = inputs()
    expected = chosen(q, k, v, Causal())
    other = copied(chosen)

    assert other.choices == {}, "what was chosen here is no promise of another machine"
    assert torch.equal(other(q, k, v, Causal()), expected)


# torch's own words, where its compiler is imported for the first time
@pytest.mark.filterwarnings("ignore:.torch.jit.script_method. is deprecated:DeprecationWarning")
@pytest.mark.parametrize("dynamic", [False, True], ids=["lengths fixed", "lengths vary"])
def test_torch_compile_follows_it_without_a_break(dynamic: bool, table: Any) -> None:
    torch._dynamo.reset()
    chosen = auto(table=table(replace(SDPA, part="attention/eager", num_queries=16, num_keys=16)))

    def twice(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return chosen(q, k, v, Causal()) + chosen(q[:, :, :1], k, v, Full())

    compiled = torch.compile(twice, fullgraph=True, backend="eager")
    with torch.no_grad():
        for length in (9, 10, 33, 34, 100):
            x = inputs(length)
            for one in x if dynamic else ():
                torch._dynamo.mark_dynamic(one, 2)
            assert torch.equal(compiled(*x), twice(*x))
    parts = {(r.mask, r.num_queries): c.part for r, c in chosen.choices.items()}
    assert parts[(Causal, 8)] == "plm-components:eager"
    assert parts[(Causal, 128)] == "plm-components:sdpa"


def test_the_table_travels_with_a_saved_variant() -> None:
    assert AutoAttention.local_files(precision="exact", table=None) == {}
    assert AutoAttention.local_files(table=Path("t.json")) == {"table": [Path("t.json")]}


def test_an_empty_zoo_offers_nothing() -> None:
    assert offers_of(Zoo(), "attention") == {}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_on_the_device_at_hand_it_computes_what_the_part_computes(
    kernel_device: str, dtype: torch.dtype
) -> None:
    chosen, part = auto(), default_zoo().get("attention", "sdpa").load()(4, 2, 16)
    for mask, rows in ((Causal(), 9), (Full(), 5), (CausalCached(torch.tensor([3, 6])), 1)):
        q, k, v = inputs(9, device=kernel_device, dtype=dtype)
        got = chosen(q[:, :, :rows], k, v, mask)
        assert torch.equal(got, part(q[:, :, :rows], k, v, mask))

    assert {choice.part for choice in chosen.choices.values()} == {"plm-components:sdpa"}


@pytest.mark.parametrize(("precision", "name"), [("exact", "eager"), ("fast", "sdpa")])
def test_on_the_device_at_hand_gradients_are_those_of_the_part(
    kernel_device: str, precision: str, name: str
) -> None:
    zoo = default_zoo()
    gradients = []
    for attention in (auto(precision=precision), zoo.get("attention", name).load()(4, 2, 16)):
        leaves = [one.requires_grad_() for one in inputs(device=kernel_device)]
        out = attention(*leaves, Causal())
        gradients.append(torch.autograd.grad(out, leaves, torch.ones_like(out)))

    for got, expected in zip(*gradients, strict=True):
        # sdpa on a GPU adds the gradients of keys up in any order
        torch.testing.assert_close(got, expected)


def test_a_table_of_the_device_at_hand_counts_there(kernel_device: str, table: Any) -> None:
    machine = machine_of(torch.device(kernel_device))
    assert machine is not None
    chosen = auto(Offered(), table=table(ROW, machine=machine))
    q, k, v = (tensor[:1] for tensor in inputs(1000, device=kernel_device))

    assert bool((chosen(q, k, v, Causal()) == 7).all())
    (choice,) = chosen.choices.values()
    assert choice.reason.startswith(f"fastest of 1 measured on {machine} (")
    # where the driver's list can be read, it writes the name as torch does
    listed = {name for device, name in devices_here() if device == machine.device}
    assert not listed or machine.name in listed


def test_every_candidate_can_be_looked_at_on_the_device_at_hand(
    kernel_device: str, table: Any
) -> None:
    names = [name.partition(":")[2] for name in candidates()]
    machine = machine_of(torch.device(kernel_device))
    rows = [replace(SDPA, part=f"attention/{name}", dtype="bfloat16") for name in names]
    chosen = auto(table=table(*rows, machine=machine))
    q, k, v = (one[:1] for one in inputs(1024, device=kernel_device, dtype=torch.bfloat16))
    got = chosen(q, k, v, Causal())
    exact = auto()(q.double(), k.double(), v.double(), Causal())

    # equal times: the first by name that is exact and able, and those before it are told
    (choice,) = chosen.choices.values()
    assert choice.part == "plm-components:eager"
    assert [told.partition(" ")[0] for told in choice.passed_over] == ["attention/blocked_causal"]
    torch.testing.assert_close(got.double(), exact, atol=2e-2, rtol=2e-2)
