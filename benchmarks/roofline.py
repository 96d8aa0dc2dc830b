"""How close are the networks to the speed of a large matrix product?

    python benchmarks/roofline.py [--rounds 5]

torch counts the FLOPs of a training step (forward and backward pass; a multiplication and an addition are
two). They are divided by the time of the step and compared with a large matrix product, which is measured in
each round. torch's profiler gives the fraction of time of each kind of operation in one more step per round.
"""

import statistics
from collections import Counter
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from common.results import Row, best_of_three, origin, parser
from imgcolor.cli.runtime import keep_freed_memory
from imgcolor.networks import ColourCNN, ColourUNet, ConvStack, RegressionCNN, ResidualUNet, ResidualUpscaler
from imgcolor.utils.files import write_rows
from imgcolor.utils.precision import has_fast_bfloat16

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
"""Name to network and shape of a batch."""

KINDS = {
    "conv": "convolutions",
    "batch_norm": "batch norm",
    "relu": "ReLU",
    "clamp_min": "ReLU",
    "threshold_backward": "ReLU",
    "pool": "pooling, upsampling",
    "upsample": "pooling, upsampling",
    "": "other",
}
"""Part of the name of an operation to its kind; the first match counts."""


def matrix_product(dtype: torch.dtype, size: int = 2048) -> float:
    """Return the GFLOP/s of a large matrix product."""
    a = torch.rand(size, size, dtype=dtype)
    a @ a
    return 2 * size**3 / best_of_three(lambda: a @ a) / 1e9


def step(network: nn.Module, images: Tensor, bf16: bool) -> None:
    """Compute a forward and a backward pass."""
    network.zero_grad()
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        output = network(images)
    output.backward(torch.ones_like(output))


def time_fractions(network: nn.Module, images: Tensor, bf16: bool) -> dict[str, float]:
    """Return the fraction of a step's time for each kind of operation."""
    # One step only: the profiler's records of several would take the memory that the next step reuses.
    with torch.autograd.profiler.profile(use_kineto=False) as profile:
        step(network, images, bf16)
    seconds: Counter[str] = Counter()
    for event in profile.key_averages():
        kind = next(kind for part, kind in KINDS.items() if part in event.key.lower())
        seconds[kind] += event.self_cpu_time_total
    return {kind: seconds[kind] / seconds.total() for kind in dict.fromkeys(KINDS.values())}


def measure(name: str, network: nn.Module, images: Tensor, bf16: bool, rounds: int) -> list[Row]:
    """Measure a network in one precision; return one row per round."""
    with FlopCounterMode(display=False) as counter:
        step(network, images, bf16=False)
    gflop = counter.get_total_flops() / 1e9
    step(network, images, bf16)
    rows = []
    for number in range(rounds):
        peak = matrix_product(torch.bfloat16 if bf16 else torch.float32)
        seconds = best_of_three(lambda: step(network, images, bf16))
        rows.append(
            {
                "network": name,
                **origin(),
                "precision": "bf16" if bf16 else "float32",
                "round": number,
                "gflop_per_step": round(gflop, 3),
                "ms_per_step": round(seconds * 1e3, 2),
                "gflop_s": round(gflop / seconds, 1),
                "matmul_gflop_s": round(peak, 1),
                "fraction": round(gflop / seconds / peak, 3),
                **{
                    kind: round(fraction, 3)
                    for kind, fraction in time_fractions(network, images, bf16).items()
                },
            }
        )
    return rows


def summary(rows: list[Row]) -> str:
    """Return the medians of the rounds of one network in one line."""
    columns = list(rows[0])[list(rows[0]).index("round") + 1 :]
    median = {column: statistics.median(float(str(row[column])) for row in rows) for column in columns}
    kinds = ", ".join(f"{kind} {median[kind]:.0%}" for kind in dict.fromkeys(KINDS.values()))
    return (
        f"{rows[0]['network']:32} {rows[0]['precision']:8} {median['gflop_per_step']:7.2f} GFLOP "
        f"{median['ms_per_step']:7.1f} ms {median['gflop_s']:6.1f} of {median['matmul_gflop_s']:6.1f} GFLOP/s, "
        f"{median['fraction']:.0%}; {kinds}"
    )


def main() -> None:
    options = parser(__doc__, "roofline.csv")
    options.add_argument("--rounds", type=int, default=5)
    arguments = options.parse_args()
    keep_freed_memory()
    rows: list[Row] = []
    # A processor that only emulates bfloat16 has no peak to compare with.
    precisions = (False, True) if has_fast_bfloat16(torch.device("cpu")) else (False,)
    for name, (make, shape) in CASES.items():
        torch.manual_seed(0)
        network = make().to(memory_format=torch.channels_last)
        images = torch.rand(shape)
        for bf16 in precisions:
            rows += measure(name, network, images, bf16, arguments.rounds)
            print(summary(rows[-arguments.rounds :]), flush=True)
            write_rows(arguments.output, rows)


if __name__ == "__main__":
    main()
