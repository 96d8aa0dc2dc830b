"""Which implementation choices make a training step on the CPU faster?

    python benchmarks/choices.py [--rounds 7] [--only NAME ...]

The step of each network is timed in several ways, by turns. The first three build on one another: torch's
layers as they are, the channels-last memory format, imgcolor's networks (with the foreach optimizer). Each of
the others changes one thing of the third. The results are ratios to the first one in the same round; a round
is the best of three steps.
"""

import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from common.cases import Case, selected_cases
from common.results import Row, best_of_three, origin, origins, parser, spread
from imgcolor.cli.runtime import keep_freed_memory
from imgcolor.networks import fast_convolutions
from imgcolor.networks.blocks import upsample
from imgcolor.utils.files import write_rows

Step = Callable[[], None]
FIRST = "torch's layers"


def plain_conv2d(maps: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Replace fast_convolutions.conv2d by torch's convolution."""
    return F.conv2d(maps, weight, bias, padding=weight.shape[-1] // 2)


def plain_conv2d_upsampled(
    coarse: Tensor, fine: Tensor | None, weight: Tensor, bias: Tensor | None
) -> Tensor:
    """Replace fast_convolutions.conv2d_upsampled by upsampling, concatenation and a convolution."""
    maps = upsample(coarse, 2)
    maps = maps if fine is None else torch.cat([maps, fine], dim=1)
    return fast_convolutions.conv2d(maps, weight, bias)


def step(
    case: Case,
    make: Callable[[], nn.Module],
    *,
    channels_last: bool = True,
    compiled: bool = False,
    bf16: bool = False,
    optimizer: str = "foreach",
    replaced: dict[str, Callable[..., Tensor]] | None = None,
) -> Step:
    """Return a function that takes a training step of a new network on a batch in memory."""
    torch.manual_seed(0)
    network = make()
    if channels_last:
        network = network.to(memory_format=torch.channels_last)
    # torch's own choice on the CPU is the loop over the weights.
    adam = torch.optim.Adam(network.parameters(), **({} if optimizer == "loop" else {optimizer: True}))
    size = 80 if case.faces else 32
    grey = torch.rand(case.batch_size, 1, size, size)
    target = torch.rand(case.batch_size, 3, size, size)
    if case.loss == "classes":
        target = (target[:, 0] * 24).long()
    run = torch.compile(network) if compiled else network
    compare = case.compare_fast if channels_last else case.compare

    def take_step() -> None:
        with (
            patch.multiple(fast_convolutions, **replaced) if replaced else nullcontext(),
            torch.autocast("cpu", torch.bfloat16, enabled=bf16),
        ):
            loss = compare(run(grey), target)
        adam.zero_grad()
        loss.backward()
        adam.step()

    return take_step


def choices(case: Case) -> dict[str, Step]:
    """Return the ways to take a step, by name."""
    return {
        FIRST: step(case, case.plain, channels_last=False, optimizer="loop"),
        "channels last": step(case, case.plain),
        "imgcolor": step(case, case.network),
        "plain convolution after upsampling": step(
            case, case.network, replaced={"conv2d_upsampled": plain_conv2d_upsampled}
        ),
        "plain convolution to few channels": step(case, case.network, replaced={"conv2d": plain_conv2d}),
        "optimizer: loop": step(case, case.network, optimizer="loop"),
        "optimizer: fused": step(case, case.network, optimizer="fused"),
        "torch.compile": step(case, case.network, compiled=True),
        "bfloat16": step(case, case.network, bf16=True),
    }


def main() -> None:
    options = parser(__doc__, "choices.csv")
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--only", nargs="*", default=[], help="parts of the names of cases")
    options.add_argument("--skip", nargs="*", default=[], help="choices to leave out, such as bfloat16")
    options.add_argument(
        "--processor_time", action="store_true", help="processor time of one thread, for a busy machine"
    )
    arguments = options.parse_args()
    clock = time.process_time if arguments.processor_time else time.perf_counter
    if arguments.processor_time:
        torch.set_num_threads(1)
    keep_freed_memory()
    rows: list[Row] = []
    print("| network | choice | ms per step | step / torch's layers |\n|---|---|---|---|")
    for case in selected_cases(arguments.only):
        torch._dynamo.reset()  # it compiles a limited number of networks
        steps = {name: one for name, one in choices(case).items() if name not in arguments.skip}
        for take_step in steps.values():
            take_step()  # compiles, and allocates memory
        seconds: dict[str, list[float]] = {name: [] for name in steps}
        for number in range(arguments.rounds):
            for name, take_step in steps.items():
                seconds[name].append(best_of_three(take_step, clock))
                milliseconds = round(seconds[name][-1] * 1e3, 2)
                rows.append(
                    {
                        "case": case.name,
                        "choice": name,
                        "round": number,
                        **origin(),
                        "threads": torch.get_num_threads(),
                        "clock": clock.__name__,
                        "ms_per_step": milliseconds,
                    }
                )
        for name, found in seconds.items():
            ratios = spread([one / first for one, first in zip(found, seconds[FIRST], strict=True)])
            print(f"| {case.name} | {name} | {statistics.median(found) * 1e3:.1f} | {ratios} |", flush=True)
        write_rows(arguments.output, rows)
    print(f"\n{origins(rows)}")


if __name__ == "__main__":
    main()
