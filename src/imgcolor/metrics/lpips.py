"""LPIPS, a perceptual metric whose weights may have to be downloaded."""

from pathlib import Path
from typing import Literal
from urllib.error import URLError

import torch
from torchmetrics import Metric

from imgcolor.utils.errors import missing_weights

_WEIGHTS = {"alex": "AlexNet_Weights", "vgg": "VGG16_Weights", "squeeze": "SqueezeNet1_1_Weights"}


def perceptual_similarity(
    network: Literal["alex", "vgg", "squeeze"] = "alex", sync_on_compute: bool = True
) -> Metric:
    """Return torchmetrics' learned perceptual image patch similarity (LPIPS, Zhang et al. 2018).

    Args:
        network: The network whose features are compared. Its weights come from torch's cache; missing ones
            are downloaded to it.
        sync_on_compute: Whether ``compute`` adds up the counts of all ranks of a distributed run.

    Returns:
        A metric of prediction and target, both float [B, 3, H, W] in [0, 1]: the mean over images; 0 for
        equal images.

    Raises:
        ImgcolorError: If the weights are missing and cannot be downloaded.
        ValueError: If ``network`` is unknown.
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
        raise missing_weights(str(path), url, f"{network} for LPIPS", error, "leave LPIPS out") from error
