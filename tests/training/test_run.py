"""A run of the recipe, in small."""

from dataclasses import replace

import pytest
import torch

import plm_components as plm
from plm_components.errors import CheckpointError
from plm_components.evaluation.tiny import HELD_OUT_SEEDS
from plm_components.training.crew import Crew, crew_of
from plm_components.training.master import MasterWeights
from plm_components.training.schedule import Recipe
from plm_components.training.tiny import train
from plm_components.training.tiny_run import DEVELOPMENT_SEEDS, TinyRun

SMALL = Recipe(
    sight_steps=2,
    image_steps=1,
    pairs=1,
    last_steps=2,
    sight_scenes=4,
    image_scenes=2,
    video_scenes=2,
    image_questions=2,
    video_questions=2,
)


def fresh(recipe=SMALL):
    variant = plm.assemble("plm-tiny", overrides=["weights=null"], init="random", seed=recipe.seed)
    return TinyRun(recipe, variant.model, variant.processor.tokenizer)


def weights(run):
    return {name: tensor.clone() for name, tensor in run.model.state_dict().items()}


def test_every_stage_learns():
    run = fresh()
    before = weights(run)
    losses = [run.train_step() for _ in range(SMALL.num_steps)]
    assert [sorted(loss) for loss in losses] == [
        ["sight places"],
        ["sight places"],
        ["image answers", "image places"],
        ["video answers", "video narration", "video places"],
        ["image answers", "image places"],
        ["video answers", "video narration", "video places"],
        ["video answers", "video narration", "video places"],
    ]
    assert all(value > 0 for loss in losses for value in loss.values())
    moved = [name for name, tensor in weights(run).items() if not torch.equal(tensor, before[name])]
    assert any(name.startswith("vision_encoder.") for name in moved)
    assert any(name.startswith("projector.") for name in moved)
    assert any(name.startswith("decoder.") for name in moved)


def test_a_run_that_was_stopped_ends_as_one_that_was_not(tmp_path):
    whole = fresh()
    for _ in range(SMALL.num_steps):
        whole.train_step()
    first = fresh()
    for _ in range(3):
        first.train_step()
    first.save(tmp_path / "run.pt")
    second = fresh()
    second.resume(tmp_path / "run.pt")
    while second.step < SMALL.num_steps:
        second.train_step()
    left, right = weights(whole), weights(second)
    assert all(torch.equal(left[name], right[name]) for name in left)
    assert [path.name for path in tmp_path.iterdir()] == ["run.pt"]


def follow(crew):
    moved_and_resumed(crew)


def moved_and_resumed(crew):
    module, master = matrices(crew)
    move(module, master, 3)
    state = master.state_dict()
    master.load_state_dict(state)
    move(module, master, 1)
    return state, master.weights()


def matrices(crew):
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Linear(6, 2)).to(torch.bfloat16)
    return module, MasterWeights(module, weight_decay=0.1, clip=1.0, crew=crew)


def move(module, master, steps):
    for step in range(steps):
        draws = torch.Generator().manual_seed(step)
        for parameter in module.parameters():
            parameter.grad = torch.randn(parameter.shape, generator=draws).to(parameter.dtype)
        master.step(1e-2)


def test_processes_that_share_the_matrices_end_as_one_that_has_them_all():
    _, alone = moved_and_resumed(Crew())
    with crew_of(2, follow) as crew:
        state, shared = moved_and_resumed(crew)
    assert set(state["momentum"]) == {"0.weight", "1.weight"}
    assert all(momentum.abs().sum() > 0 for momentum in state["momentum"].values())
    assert all(torch.equal(shared[name], weight) for name, weight in alone.items())


def test_checks_count_whole_answers():
    shares = fresh().check("video", 4)
    assert set(shares) > {"all"}
    assert all(0.0 <= share <= 1.0 for share in shares.values())


def test_training_writes_a_variant_that_says_who_made_it(tmp_path, capsys):
    directory = train(SMALL, tmp_path)
    capsys.readouterr()
    assert sorted(path.name for path in directory.iterdir()) == [
        "model.safetensors",
        "plm.lock",
        "plm.yaml",
    ]
    variant = plm.load(directory)
    assert {line.part for line in variant.receipt.lines} == {
        "vision_encoder",
        "projector",
        "decoder",
    }
    assert all("make train-tiny, seed 0, 7 steps" in line.origin for line in variant.receipt.lines)
    assert variant.receipt.fresh_parts == ()
    assert '"sight_steps": 2' in (tmp_path / "recipe.json").read_text()


def test_nothing_to_resume_says_so(tmp_path):
    with pytest.raises(CheckpointError) as caught:
        fresh().resume(tmp_path / "run.pt")
    assert str(caught.value) == (
        "There is no run to resume.\n"
        f"  where:    {tmp_path / 'run.pt'}\n"
        "  expected: the state that a stopped run left\n"
        "  fix:      leave --resume out to begin a new run, or set --out to the run's folder"
    )


def test_a_run_of_another_recipe_is_refused(tmp_path):
    fresh().save(tmp_path / "run.pt")
    with pytest.raises(CheckpointError, match="followed another recipe") as caught:
        fresh(replace(SMALL, pairs=2)).resume(tmp_path / "run.pt")
    assert "'pairs': 2" in str(caught.value)


def test_no_scene_is_seen_twice_and_none_is_held_out():
    recipe = Recipe()
    last = -1
    for step in range(recipe.num_steps):
        seeds = recipe.scene_seeds(step)
        assert seeds.start > last
        last = seeds.stop - 1
    assert last < DEVELOPMENT_SEEDS < DEVELOPMENT_SEEDS + 1_000_000_000 < HELD_OUT_SEEDS


def test_rates_rise_stay_and_fall():
    recipe = Recipe()
    rates = [recipe.learning_rate(step) for step in range(recipe.num_steps)]
    assert rates[0] < rates[20] < rates[60] == recipe.sight_rate
    assert rates[recipe.sight_steps - 1] < 0.12 * recipe.sight_rate
    assert rates[recipe.sight_steps + 100] == recipe.early_rate
    assert rates[recipe.sight_steps + recipe.early_steps + 100] == recipe.rate
    assert rates[recipe.num_steps - recipe.decay - 1] == recipe.last_rate
    assert rates[-1] < 0.01 * recipe.rate
    assert min(rates) > 0


def test_work_goes_from_seeing_to_answering_to_both():
    recipe = replace(SMALL, last_steps=5)
    assert [recipe.work(step) for step in range(recipe.num_steps)] == [
        "sight", "sight", "image", "video", "image", "video", "video", "video", "image", "video",
    ]  # fmt: skip


def test_small_updates_are_not_lost_to_bf16():
    module = torch.nn.ModuleDict({"norm": torch.nn.LayerNorm(4)}).to(torch.bfloat16)
    master = master_of(module)
    for _ in range(64):
        module["norm"].weight.grad = torch.ones(4, dtype=torch.bfloat16)
        master.step(1e-4)
    # one step of 1e-4 is below bf16's resolution at 1.0; sixty-four are not
    assert (module["norm"].weight < 1.0).all()


def master_of(module):
    module["matrix"] = torch.nn.Linear(2, 2, bias=False).to(torch.bfloat16)
    module["matrix"].weight.grad = torch.ones(2, 2, dtype=torch.bfloat16)
    return MasterWeights(module, weight_decay=0.0, clip=1.0, crew=Crew())
