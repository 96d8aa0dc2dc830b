"""Training and evaluation mode of modules."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def eval_mode(module: nn.Module) -> Iterator[None]:
    """Run a block in evaluation mode without gradients, then restore the mode of each submodule."""
    training = [inner for inner in module.modules() if inner.training]
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for inner in training:
            inner.training = True
