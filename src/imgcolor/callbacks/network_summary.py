"""Print the blocks of a network before training."""

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import RichModelSummary
from lightning.pytorch.utilities.model_summary.model_summary import get_human_readable_count
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from imgcolor.data import ImageDataModule
from imgcolor.tasks import ColourTask
from imgcolor.utils.modes import eval_mode


class NetworkSummary(RichModelSummary):
    """Prints the blocks of the network at the start of a fit: parameters, output size and operations for one image.

    The operations (FLOPs) are those of convolutions and matrix products, two for a multiplication with its addition,
    counted while the network processes a validation image. Blocks without parameters and operations are left out.
    Lightning's own table is printed for modules that are not tasks of imgcolor.
    """

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the table."""
        if not isinstance(pl_module, ColourTask):
            super().on_fit_start(trainer, pl_module)
        elif trainer.is_global_zero:
            console = Console()
            title, table = summarize_network(pl_module.network, _network_input(trainer, pl_module))
            console.print(title, highlight=False)
            console.print(table)


def summarize_network(network: nn.Module, images: Tensor | None) -> tuple[str, Table]:
    """Return a title and a table of the blocks of a network.

    Args:
        network: The network.
        images: Input of the network, [1, C, h, w]; without it, output sizes and operations are left out.

    Returns:
        The name of the network with its totals, and a table with a row per block.
    """
    prefix, blocks = _blocks(network)
    sizes, flops = _measure(network, images)
    trainable = sum(p.numel() for p in network.parameters() if p.requires_grad)
    title = f"{type(network).__name__}: {_count(trainable)} trainable parameters"
    fixed = sum(p.numel() for p in network.parameters()) - trainable
    if fixed:
        title += f", {_count(fixed)} others"
    if images is not None and flops.get(""):
        count = _count(flops[""])
        title += f", {count} FLOPs for an image of {_size(images)}"
    table = Table(box=None, pad_edge=False)
    table.add_column("block")
    table.add_column("type")
    table.add_column("parameters", justify="right")
    if sizes:
        table.add_column("output", justify="right")
    if any(flops.values()):
        table.add_column("FLOPs", justify="right")
    for name, block in blocks.items():
        path = prefix + name
        parameters = sum(parameter.numel() for parameter in block.parameters())
        if not parameters and not flops.get(path):
            continue
        row = [name, type(block).__name__, _count(parameters)]
        if sizes:
            row.append(sizes.get(path, ""))
        if any(flops.values()):
            row.append(_count(flops[path]) if flops.get(path) else "")
        table.add_row(*row)
    return title, table


def _blocks(network: nn.Module) -> tuple[str, dict[str, nn.Module]]:
    """Return the children of a network, or of its only child with parameters, and the prefix of their names."""
    prefix, children = "", dict(network.named_children())
    while True:
        filled = [name for name, child in children.items() if any(True for _ in child.parameters())]
        inner = dict(children[filled[0]].named_children()) if len(filled) == 1 else {}
        if not inner:
            return prefix, children
        prefix, children = f"{prefix}{filled[0]}.", inner


def _network_input(trainer: Trainer, task: ColourTask) -> Tensor | None:
    datamodule = getattr(trainer, "datamodule", None)
    if not isinstance(datamodule, ImageDataModule):
        return None
    pixels = datamodule.images("val").pixels[:1]
    return task.coding.network_input(datamodule.batch(pixels.to(task.device)).degraded)


def _measure(network: nn.Module, images: Tensor | None) -> tuple[dict[str, str], dict[str, int]]:
    """Return the output sizes and the operations of the modules of a network by name; the network's own is empty."""
    sizes: dict[str, str] = {}
    if images is None:
        return {}, {}

    def note(name: str, output: object) -> None:
        if isinstance(output, Tensor) and output.ndim == images.ndim:
            sizes[name] = _size(output)

    handles = [
        module.register_forward_hook(lambda _module, _input, output, name=name: note(name, output))
        for name, module in network.named_modules()
    ]
    counter = FlopCounterMode(display=False)
    try:
        # A compiled network would be compiled for this one image, and its operations not counted.
        with eval_mode(network), counter, torch.compiler.set_stance("force_eager"):
            network(images)
    except Exception:  # what is wrong with the network, the first training step reports
        return {}, {}
    finally:
        for handle in handles:
            handle.remove()
    root = type(network).__name__
    counts = {name: sum(found.values()) for name, found in counter.get_flop_counts().items()}
    flops = {name.partition(".")[2]: count for name, count in counts.items() if name.startswith(root)}
    for name, module in network.named_modules():
        if name not in flops:  # a list of modules, which is not called itself
            flops[name] = sum(flops.get(f"{name}.{child}", 0) for child, _ in module.named_children())
    return sizes, flops


def _count(number: int) -> str:
    return get_human_readable_count(number).strip()


def _size(images: Tensor) -> str:
    return "×".join(map(str, images.shape[1:]))
