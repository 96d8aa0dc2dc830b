"""What torch offers for a training step on a CPU: the same step of each network in several ways, in alternation.

    python benchmarks/choices.py [--rounds 7] [--only NAME ...]

The first three go on from one another: torch's layers as they come, channels last, imgcolor's networks with a
foreach optimizer. Each of the last three changes one thing of the third; of these, the command has the fused
optimizer. Figures are ratios within a round to the first way; a round is the best of three steps.
"""

import argparse
import statistics
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

import imgcolor
from imgcolor.cli.runtime import keep_freed_memory
from imgcolor.utils.files import write_rows
from imgcolor.utils.provenance import commit, hardware
from roofline import best_of_three
from training import CASES, RESULTS, Case, origins

Step = Callable[[], None]


def step(
    case: Case,
    make: Callable[[], nn.Module],
    *,
    channels_last: bool = True,
    compiled: bool = False,
    bf16: bool = False,
    fused: bool = False,
) -> Step:
    """A training step of a new network on a batch that is there."""
    torch.manual_seed(0)
    network = make()
    if channels_last:
        network = network.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters(), fused=fused, foreach=not fused and channels_last)
    size = 80 if case.faces else 32
    grey = torch.rand(case.batch_size, 1, size, size)
    target = torch.rand(case.batch_size, 3, size, size)
    if case.loss == "classes":
        target = (target[:, 0] * 24).long()
    run = torch.compile(network) if compiled else network
    compare = case.compare_fast if channels_last else case.compare

    def once() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            value = compare(run(grey), target)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()

    return once


def ways(case: Case) -> dict[str, Step]:
    """The ways to take a step."""
    return {
        "layers of torch": step(case, case.plain, channels_last=False),
        "channels last": step(case, case.plain),
        "imgcolor": step(case, case.network),
        "fused optimizer": step(case, case.network, fused=True),
        "torch.compile": step(case, case.network, compiled=True),
        "bfloat16": step(case, case.network, bf16=True),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", nargs="*", default=[], help="parts of the names of cases")
    parser.add_argument("--output", type=Path, default=RESULTS / "choices.csv")
    options = parser.parse_args()
    keep_freed_memory()
    rows: list[dict[str, object]] = []
    print("| network | way | ms a step | × the first |\n|---|---|---|---|")
    for case in CASES:
        if options.only and not any(part in case.name for part in options.only):
            continue
        torch._dynamo.reset()  # it compiles a function for so many networks and no more
        steps = ways(case)
        for once in steps.values():
            once()  # compiles, and finds its memory
        seconds = {way: [] for way in steps}
        for number in range(options.rounds):
            for way, once in steps.items():
                seconds[way].append(best_of_three(once))
                rows.append(
                    {
                        "case": case.name,
                        "way": way,
                        "round": number,
                        "commit": commit(Path(imgcolor.__file__).parent),
                        "hardware": hardware(),
                        "torch": torch.__version__,
                        "ms_a_step": round(seconds[way][-1] * 1e3, 2),
                    }
                )
        for way, found in seconds.items():
            ratios = [one / first for one, first in zip(found, seconds["layers of torch"], strict=True)]
            spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
            print(f"| {case.name} | {way} | {statistics.median(found) * 1e3:.1f} | {spread} |", flush=True)
        write_rows(options.output, rows)
    print(f"\n{origins(rows)}")


if __name__ == "__main__":
    main()
