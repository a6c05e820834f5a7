"""Time and memory of ``plm.load`` beside transformers' ``from_pretrained``, on one checkpoint.

    python benchmarks/loading.py                # PLM-1B's shapes in bfloat16, 3 GB of disk
    python benchmarks/loading.py --small        # seconds: does the script itself work?
    python benchmarks/loading.py --runs 5 --json

Writes a Hugging Face PerceptionLM directory with random weights into a temporary directory, then
loads it in fresh processes, the two programs in turn, and takes the median of each. What is
measured:

``whole_s``
    Seconds of the imports and of the call: what a user waits for.
``load_s``
    Seconds of the call, imports done before. We map the file and copy nothing, so this alone would
    flatter us.
``read_s``
    Seconds of the call and of reading every weight once, which the first answer has to do.
``peak_mib``
    Largest resident memory of the process until then, mapped pages of the file included: those
    are the page cache's, and the system takes them back when it needs room.
``own_mib``
    Resident memory at the end that belongs to the process alone (``RssAnon``), less what it had
    before the call: copies of the weights. Linux only, like ``peak_mib``.

Ours checks the composition first, and its pass over the meta device imports torch's compiler:
about a second once a process, which is in ``load_s``. Transformers' import brings the compiler
along, so for it that second is in ``whole_s`` alone.

The file was just written and lies in the page cache for both. On a machine that does other work
the seconds are noisy and their ratio is the better figure.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

LOADERS = ("plm.load", "from_pretrained")
FIGURES = ("whole_s", "load_s", "read_s", "peak_mib", "own_mib")
MIB = 1 << 20


def main() -> None:
    """Runs the benchmark, or one measurement of it in a child."""
    args = _arguments()
    if args.measure:
        print(json.dumps(measure(args.measure, args.directory)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        num_bytes = write_checkpoint(directory, small=args.small)
        runs = compare(directory, args.runs)
    figures = {
        loader: {name: statistics.median(run[name] for run in runs[loader]) for name in FIGURES}
        for loader in LOADERS
    }
    if args.json:
        print(json.dumps({"bytes": num_bytes, "runs": runs, "median": figures}, indent=2))
    else:
        print(table(figures, num_bytes, args.runs))


def write_checkpoint(directory: Path, *, small: bool) -> int:
    """A PerceptionLM of PLM-1B's shapes, or a small one, in bf16; returns its bytes."""
    import torch

    from plm_components import assemble
    from plm_components.checkpoints import hf_keys, plm_sizes, write_tensors

    config = configuration(small=small)
    (directory / "config.json").write_text(json.dumps(config))
    cut = ["vision_encoder.num_layers=2", "decoder.num_layers=2"] if small else []
    state = assemble("plm-1b", init="meta", overrides=cut).model.state_dict()
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    names = hf_keys(plm_sizes(shapes, head_dim=64))
    # drawing a billion numbers would take longer than the benchmark
    block = torch.randn(1 << 20, generator=torch.Generator().manual_seed(0)).mul_(0.02).bfloat16()
    tensors = {}
    for name, tensor in state.items():
        repeats = -(-tensor.numel() // block.numel())
        tensors[names[name]] = block.repeat(repeats)[: tensor.numel()].view(tensor.shape)
    return sum(path.stat().st_size for path in write_tensors(tensors, directory))


def configuration(*, small: bool) -> dict[str, Any]:
    """The published configuration of PLM-1B; two layers in each half if small."""
    return {
        "architectures": ["PerceptionLMForConditionalGeneration"],
        "model_type": "perception_lm",
        "dtype": "bfloat16",
        "projector_pooling_ratio": 2,
        "vision_use_cls_token": True,
        "tie_word_embeddings": True,
        "text_config": {
            "model_type": "llama",
            "hidden_size": 2048,
            "intermediate_size": 8192,
            "num_hidden_layers": 2 if small else 16,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "head_dim": 64,
            "rms_norm_eps": 1e-5,
            "rope_parameters": {
                "rope_type": "llama3",
                "rope_theta": 500000.0,
                "factor": 32.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 8192,
            },
            "max_position_embeddings": 11520,
            "vocab_size": 128256,
            "tie_word_embeddings": True,
            "dtype": "bfloat16",
        },
        "vision_config": {
            "model_type": "timm_wrapper",
            "architecture": "vit_pe_core_large_patch14_336",
            "do_pooling": True,
            "model_args": {
                "embed_dim": 1024,
                "depth": 2 if small else 23,
                "img_size": [448, 448],
                "global_pool": "",
                "use_post_transformer_norm": False,
                "init_values": 0.1,
                "ref_feat_shape": [32, 32],
            },
        },
    }


def compare(directory: Path, runs: int) -> dict[str, list[dict[str, float]]]:
    """Measurements of both programs, taken in turn."""
    found: dict[str, list[dict[str, float]]] = {loader: [] for loader in LOADERS}
    for _ in range(runs):
        for loader in LOADERS:
            command = [sys.executable, __file__, "--measure", loader, "--directory", str(directory)]
            run = subprocess.run(command, check=True, capture_output=True, text=True)
            found[loader].append(json.loads(run.stdout.splitlines()[-1]))
    return found


def measure(loader: str, directory: Path) -> dict[str, float]:
    """One load in this process, which does nothing else."""
    began = time.perf_counter()
    import torch

    if loader == "plm.load":
        import plm_components.opening

        def load() -> torch.nn.Module:
            return plm_components.opening.load(directory).model
    else:
        from transformers import PerceptionLMForConditionalGeneration

        def load() -> torch.nn.Module:
            model: torch.nn.Module = PerceptionLMForConditionalGeneration.from_pretrained(directory)
            return model

    before = resident("RssAnon")
    start = time.perf_counter()
    model = load()
    loaded = time.perf_counter()
    for parameter in model.parameters():
        # as integers: one pass over the bytes, and nothing that could overflow
        parameter.detach().view(torch.int16).max()
    return {
        "whole_s": loaded - began,
        "load_s": loaded - start,
        "read_s": time.perf_counter() - start,
        "peak_mib": resident("VmHWM"),
        "own_mib": resident("RssAnon") - before,
    }


def resident(field: str) -> float:
    """A figure of this process's memory in MiB; NaN where the system does not tell."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    sizes = [int(line.split()[1]) for line in lines if line.startswith(f"{field}:")]
    return sizes[0] * 1024 / MIB if sizes else float("nan")


def table(figures: dict[str, dict[str, float]], num_bytes: int, runs: int) -> str:
    """The medians, one program a line, and what theirs is as a multiple of ours."""
    lines = [f"{num_bytes / 1e9:.2f} GB of bfloat16; medians of {runs} runs each"]
    lines.append("".join([f"{'':16}", *(f"{name:>12}" for name in FIGURES)]))
    for loader, row in figures.items():
        lines.append("".join([f"{loader:16}", *(f"{row[name]:12.2f}" for name in FIGURES)]))
    ours, theirs = (figures[loader] for loader in LOADERS)
    ratios = (theirs[name] / ours[name] if ours[name] else float("inf") for name in FIGURES)
    lines.append("".join([f"{'ratio':16}", *(f"{ratio:12.2f}" for ratio in ratios)]))
    return "\n".join(lines)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=3, help="loads of each program")
    parser.add_argument("--small", action="store_true", help="two layers in each half")
    parser.add_argument("--json", action="store_true", help="every run, as JSON")
    parser.add_argument("--measure", choices=LOADERS, help=argparse.SUPPRESS)
    parser.add_argument("--directory", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
