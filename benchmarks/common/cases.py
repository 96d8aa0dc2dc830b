"""The cases: a network, its loss and its images."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from common.plain_networks import PlainCNN, PlainStack, PlainUNet
from imgcolor.colour import Palette
from imgcolor.data import FaceColourizationDataModule, HorseColourizationDataModule
from imgcolor.networks import ColourCNN, ColourUNet, ConvStack, RegressionCNN, ResidualUNet
from imgcolor.utils.precision import has_fast_bfloat16

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
"""Where everything trains: the GPU if there is one, as Lightning chooses too."""
BF16 = has_fast_bfloat16(DEVICE)
"""Whether the device computes in bfloat16, which the experiment of the last case uses."""


@dataclass
class Case:
    """A network, its loss and its images."""

    name: str
    network: Callable[[], nn.Module]
    plain: Callable[[], nn.Module]
    """The same network without imgcolor's layers."""
    experiment: str
    """The YAML file in experiments/."""
    batch_size: int
    loss: str = "mse"
    """``mse`` in [0, 1], ``signed`` for MSE in [-1, 1], ``classes`` for cross-entropy with 24 colours."""
    bf16: bool = False
    options: list[str] = field(default_factory=list)
    """More options for `imgcolor fit`."""

    @property
    def faces(self) -> bool:
        """Whether the images are faces; otherwise horses."""
        return self.loss == "signed"

    def compare(self, output: Tensor, target: Tensor) -> Tensor:
        """Compute the loss."""
        return F.cross_entropy(output, target) if self.loss == "classes" else F.mse_loss(output, target)

    def compare_fast(self, output: Tensor, target: Tensor) -> Tensor:
        """Compute the loss in the order of dimensions that is fastest with the channels-last format."""
        if self.loss == "classes":
            return F.cross_entropy(output.movedim(1, -1).flatten(0, 2), target.flatten())
        return F.mse_loss(output, target)


def _best_network() -> nn.Module:
    """Return the network of horses/best_regression.yaml without dropout."""
    return ResidualUNet(3, [32, 64, 96, 128], luminance="mean")


def _conv_stack() -> nn.Module:
    return ConvStack(2, 16, 5, tanh=True)


CASES = [
    Case("RegressionCNN, batch 100", RegressionCNN, lambda: PlainCNN(3), "horses/regression_cnn.yaml", 100),
    Case("ColourCNN, batch 100", ColourCNN, lambda: PlainCNN(24), "horses/colour_cnn.yaml", 100, "classes"),
    Case("ColourUNet, batch 100", ColourUNet, PlainUNet, "horses/colour_unet.yaml", 100, "classes"),
    Case("ColourUNet, batch 10", ColourUNet, PlainUNet, "horses/colour_unet.yaml", 10, "classes"),
    Case("ConvStack, batch 16", _conv_stack, PlainStack, "faces/conv_stack.yaml", 16, "signed"),
    Case(
        f"ResidualUNet, batch 50{', bf16' if BF16 else ''}",
        _best_network,
        _best_network,  # no course has it
        "horses/best_regression.yaml",
        50,
        bf16=BF16,
        options=[
            "--model.network.dropout=0", "--data.augmentation=null", "--trainer.callbacks=[]",
            "--model.lr_scheduler=null", "--model.optimizer=Adam",
            "--model.optimizer.weight_decay=0", "--model.flip_tta=false",
            f"--trainer.precision={'bf16-mixed' if BF16 else '32-true'}",
        ],
    ),
]  # fmt: skip


def case_named(name: str) -> Case:
    """Return the case with a name, which is all that other processes get."""
    (case,) = (case for case in CASES if case.name == name)
    return case


def selected_cases(parts: list[str]) -> list[Case]:
    """Return the cases with one of some names, or with a part of one in their name; all cases if there are none."""
    names = {case.name for case in CASES}
    return [
        case
        for case in CASES
        if not parts or any(part == case.name or (part in case.name and part not in names) for part in parts)
    ]


def draw_images(case: Case, images: int, folder: Path) -> None:
    """Write images, initial weights and a palette to a folder.

    Args:
        case: The case.
        images: Number of training images; there are a fifth as many validation images.
        folder: Gets ``train/`` and ``val/`` with image files, ``train.npy`` and ``val.npy`` with the same
            pixels, ``weights.pt`` and ``palette.json``.
    """
    torch.manual_seed(0)
    torch.save(case.network().state_dict(), folder / "weights.pt")
    make = FaceColourizationDataModule if case.faces else HorseColourizationDataModule
    data = make(train_images=images, val_images=images // 5)
    for split in ("train", "val"):
        pixels = data.images(split).pixels
        np.save(folder / f"{split}.npy", pixels.numpy())
        files = folder / split / "all"
        files.mkdir(parents=True)
        for number, image in enumerate(pixels.permute(0, 2, 3, 1).numpy()):
            Image.fromarray(image).save(files / f"{number:06}.{'jpg' if case.faces else 'png'}")
    Palette.from_images(data.images("train").pixels[:500]).save(folder / "palette.json")
