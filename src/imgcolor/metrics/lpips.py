"""LPIPS, whose network's weights may have to be downloaded."""

from pathlib import Path
from typing import Literal
from urllib.error import URLError

import torch
from torchmetrics import Metric

from imgcolor.utils.errors import ImgcolorError

_WEIGHTS = {"alex": "AlexNet_Weights", "vgg": "VGG16_Weights", "squeeze": "SqueezeNet1_1_Weights"}


def perceptual_similarity(
    network: Literal["alex", "vgg", "squeeze"] = "alex", sync_on_compute: bool = True
) -> Metric:
    """Learned perceptual image patch similarity (Zhang et al. 2018), by torchmetrics.

    Args:
        network: Whose features are compared. torchvision's weights of it are taken from torch's cache, and
            downloaded into it where they are missing.
        sync_on_compute: Whether ``compute`` adds up what the processes of a distributed run have counted.

    Returns:
        A metric of float [B, 3, H, W] in [0, 1], prediction and target: the mean over images, 0 for equal ones.

    Raises:
        ImgcolorError: If the weights are missing and cannot be downloaded.
        ValueError: If ``network`` is none of the three.
    """
    if network not in _WEIGHTS:
        raise ValueError(f"network: expected one of {', '.join(_WEIGHTS)}, found {network!r}")
    import torchvision.models
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    url = getattr(torchvision.models, _WEIGHTS[network]).IMAGENET1K_V1.url
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    try:
        return LearnedPerceptualImagePatchSimilarity(
            net_type=network, normalize=True, sync_on_compute=sync_on_compute
        )
    except (URLError, OSError, RuntimeError) as error:
        raise ImgcolorError(
            f"{path}: expected the weights of {network} for LPIPS, found none that can be read, and downloading "
            f"them failed ({error}); fetch {url} elsewhere and place it there, or do without LPIPS"
        ) from error
