"""Losses of the regression task, by name."""

from collections.abc import Callable
from pathlib import Path
from urllib.error import URLError

import torch
import torch.nn.functional as F
from kornia.losses import MS_SSIMLoss
from torch import Tensor, nn

from imgcolor.utils.errors import missing_weights

Criterion = Callable[[Tensor, Tensor], Tensor]
"""A function of prediction and target, both float [B, 3, H, W], to a scalar."""

_POINTWISE: dict[str, Criterion] = {"mse": F.mse_loss, "l1": F.l1_loss, "huber": F.huber_loss}

NAMES = (*_POINTWISE, "ms_ssim_l1", "perceptual")

_LAYERS = 9
"""Number of VGG-16's layers up to ``relu2_2``."""

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and standard deviation of ImageNet's images, with which VGG-16 was trained."""


def make_criterion(name: str) -> Criterion:
    """Return the criterion of a name.

    Args:
        name: One of :data:`NAMES`.

    Raises:
        ValueError: If the name is unknown.
    """
    if name in _POINTWISE:
        return _POINTWISE[name]
    if name == "ms_ssim_l1":
        return MSSSIMAndL1()
    if name == "perceptual":
        return PerceptualDistance()
    raise ValueError(f"criterion: expected one of {', '.join(NAMES)}, found {name!r}")


def needs_unit_range(name: str) -> bool:
    """Return whether a criterion compares RGB images in [0, 1]."""
    return name not in _POINTWISE


class MSSSIMAndL1:
    """0.84 times 1 - MS-SSIM, and 0.16 times the mean absolute error under a Gaussian (Zhao et al. 2017).

    The paper's scales, with standard deviations of 0.5, 1, 2, 4 and 8 pixels, computed by kornia. RGB in [0, 1].
    """

    def __init__(self) -> None:
        self._loss = MS_SSIMLoss(alpha=0.84, compensation=1.0)

    def __call__(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the loss, a scalar."""
        loss: Tensor = self._loss.to(prediction.device)(prediction, target)
        return loss


class PerceptualDistance:
    """The mean squared difference of features, as in Johnson et al. 2016: layer ``relu2_2`` of VGG-16.

    RGB in [0, 1]. The weights are loaded at the first call. They come from torch's cache; a missing file (528 MB) is
    downloaded to it. They are no part of the task: its checkpoints stay small.

    Args:
        url: Address of the weights; torchvision's by default.
    """

    def __init__(self, url: str | None = None) -> None:
        self.url = url
        self._features: nn.Module | None = None

    def __call__(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the loss, a scalar.

        Raises:
            ImgcolorError: If the weights are missing and cannot be downloaded.
        """
        if self._features is None:
            self._features = _vgg_features(self.url)
        features = self._features.to(prediction.device)
        mean, std = (prediction.new_tensor(values).view(1, 3, 1, 1) for values in (_MEAN, _STD))
        with torch.no_grad():
            expected = features((target - mean) / std)
        return F.mse_loss(features((prediction - mean) / std), expected)


def _vgg_features(url: str | None) -> nn.Module:
    """Return VGG-16 up to ``relu2_2``."""
    from torchvision.models import VGG16_Weights
    from torchvision.models.vgg import cfgs, make_layers

    official = VGG16_Weights.IMAGENET1K_V1.url
    url = url or official
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    features: nn.Module = make_layers(cfgs["D"])[:_LAYERS]
    try:
        weights = torch.hub.load_state_dict_from_url(
            url, map_location="cpu", check_hash=url == official, weights_only=True
        )
        features.load_state_dict({name: weights[f"features.{name}"] for name in features.state_dict()})
    except (URLError, OSError, RuntimeError, KeyError) as error:
        use = "VGG-16 for the criterion perceptual"
        raise missing_weights(str(path), url, use, error, "use another criterion") from error
    return features.eval().requires_grad_(False)
