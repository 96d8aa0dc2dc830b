"""How near each network's step comes to what the processor can compute.

    python benchmarks/roofline.py [--rounds 5]

FLOPs of a training step as it is done (forward and backward; a multiplication and an addition are two) are counted
by torch; the peak is a large matrix product, measured beside each network in every round. One more step a round is
profiled by torch: the share of its time that each kind of operation takes.
"""

import argparse
import contextlib
import statistics
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import imgcolor
from imgcolor.cli.runtime import keep_freed_memory
from imgcolor.networks import ColourCNN, ColourUNet, ConvStack, RegressionCNN, ResidualUNet, ResidualUpscaler
from imgcolor.utils.files import write_rows
from imgcolor.utils.precision import has_fast_bfloat16
from imgcolor.utils.provenance import commit, hardware

RESULTS = Path(__file__).parent / "results"

CASES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "RegressionCNN, batch 100": (RegressionCNN, (100, 1, 32, 32)),
    "ColourCNN, batch 100": (ColourCNN, (100, 1, 32, 32)),
    "ColourUNet, batch 100": (ColourUNet, (100, 1, 32, 32)),
    "ConvStack, batch 16": (lambda: ConvStack(2, 16, 5, tanh=True), (16, 1, 80, 80)),
    "ResidualUNet (horses), batch 32": (
        lambda: ResidualUNet(3, [32, 64, 96, 128], luminance="mean"),
        (32, 1, 32, 32),
    ),
    "ResidualUNet (faces), batch 16": (
        lambda: ResidualUNet(3, [16, 32, 48, 96, 128], luminance="luma"),
        (16, 1, 80, 80),
    ),
    "ResidualUpscaler, batch 50": (ResidualUpscaler, (50, 3, 8, 8)),
}


KINDS = {
    "conv": "convolutions",
    "batch_norm": "batch norm",
    "relu": "ReLU",
    "clamp_min": "ReLU",
    "threshold_backward": "ReLU",
    "pool": "pooling and doubling",
    "upsample": "pooling and doubling",
    "": "rest",
}
"""What an operation's name holds, and its kind; the first counts."""


class Untracked(contextlib.nullcontext[None]):
    """In the place of what tells torch's counter which module runs."""

    parents = frozenset({"Global"})


def matmul(dtype: torch.dtype, size: int = 2048) -> float:
    """GFLOP/s of a large matrix product, the best of three."""
    a = torch.rand(size, size, dtype=dtype)
    a @ a
    return 2 * size**3 / best_of_three(lambda: a @ a) / 1e9


def best_of_three(work: Callable[[], object]) -> float:
    """Seconds."""
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def step(network: nn.Module, images: Tensor, bf16: bool) -> None:
    """Forward and backward, with a gradient that lies in memory as the output does."""
    network.zero_grad()
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        output = network(images)
    output.backward(torch.ones_like(output))


def shares(network: nn.Module, images: Tensor, bf16: bool) -> dict[str, float]:
    """The share of a step's time that each kind of operation takes."""
    # One step: over several, the profiler's notes would lie where the next step's maps want to.
    with torch.autograd.profiler.profile(use_kineto=False) as profile:
        step(network, images, bf16)
    seconds: Counter[str] = Counter()
    for event in profile.key_averages():
        kind = next(kind for word, kind in KINDS.items() if word in event.key.lower())
        seconds[kind] += event.self_cpu_time_total
    return {kind: seconds[kind] / seconds.total() for kind in dict.fromkeys(KINDS.values())}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=RESULTS / "roofline.csv")
    options = parser.parse_args()
    keep_freed_memory()
    rows: list[dict[str, object]] = []
    for name, (make, shape) in CASES.items():
        torch.manual_seed(0)
        network = make().to(memory_format=torch.channels_last)
        images = torch.rand(shape)
        counter = FlopCounterMode(display=False)
        # It follows modules by hooks on tensors, and networks that are watched so do not take their shorter ways.
        counter.mod_tracker = Untracked()
        with counter:
            step(network, images, bf16=False)
        gflop = counter.get_total_flops() / 1e9
        # Where a processor imitates bfloat16 there is no roof to measure.
        for bf16 in (False, True) if has_fast_bfloat16(torch.device("cpu")) else (False,):
            step(network, images, bf16)
            for number in range(options.rounds):
                peak = matmul(torch.bfloat16 if bf16 else torch.float32)
                seconds = best_of_three(lambda: step(network, images, bf16))  # noqa: B023  # called at once
                kinds = {kind: round(share, 3) for kind, share in shares(network, images, bf16).items()}
                rows.append(
                    {
                        "network": name,
                        "commit": commit(Path(imgcolor.__file__).parent),
                        "hardware": hardware(),
                        "precision": "bf16" if bf16 else "float32",
                        "round": number,
                        "gflop_a_step": round(gflop, 3),
                        "ms_a_step": round(seconds * 1e3, 2),
                        "gflop_s": round(gflop / seconds, 1),
                        "matmul_gflop_s": round(peak, 1),
                        "share": round(gflop / seconds / peak, 3),
                        **kinds,
                    }
                )
            of_case = rows[-options.rounds :]
            numbers = list(rows[0])[list(rows[0]).index("round") + 1 :]
            middle = {key: statistics.median(float(str(row[key])) for row in of_case) for key in numbers}
            print(
                f"{name:32} {of_case[0]['precision']:8} {gflop:7.2f} GFLOP {middle['ms_a_step']:7.1f} ms "
                f"{middle['gflop_s']:6.1f} of {middle['matmul_gflop_s']:6.1f} GFLOP/s, {middle['share']:.0%}; "
                f"{', '.join(f'{kind} {middle[kind]:.0%}' for kind in kinds)}",
                flush=True,
            )
            write_rows(options.output, rows)


if __name__ == "__main__":
    main()
