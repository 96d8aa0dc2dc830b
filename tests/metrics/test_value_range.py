"""All metrics refuse values outside [0, 1], and take uint8."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection

from imgcolor.metrics import (
    Colourfulness,
    DeltaE,
    LumaPSNR,
    LumaSSIM,
    MarginAccuracy,
    MarginCurve,
    MarginError,
    PeakSignalNoiseRatio,
    StructuralSimilarity,
    colourfulness,
    delta_e,
    image_scores,
    luma_levels,
    luma_psnr,
    luma_ssim,
    margin_accuracy,
    peak_signal_noise_ratio,
    structural_similarity,
)
from imgcolor.networks import RegressionCNN
from imgcolor.tasks import ColourRegression


def by_class(metric: Callable[[], Metric]) -> Callable[..., Tensor]:
    def run(*images: Tensor) -> Tensor:
        made = metric()
        made.update(*images)
        value: Tensor = made.compute()
        return value

    return run


OF_PAIRS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "peak_signal_noise_ratio": peak_signal_noise_ratio,
    "structural_similarity": structural_similarity,
    "delta_e": delta_e,
    "margin_accuracy": margin_accuracy,
    "luma_psnr": lambda first, second: luma_psnr(first, second, 0),
    "luma_ssim": lambda first, second: luma_ssim(first, second, 0),
    "image_scores": lambda first, second: torch.tensor(list(image_scores(first[0], second[0]).values())),
    "PeakSignalNoiseRatio": by_class(PeakSignalNoiseRatio),
    "StructuralSimilarity": by_class(StructuralSimilarity),
    "DeltaE": by_class(DeltaE),
    "MarginAccuracy": by_class(MarginAccuracy),
    "MarginError": by_class(MarginError),
    "MarginCurve": by_class(MarginCurve),
    "LumaPSNR": by_class(lambda: LumaPSNR(0)),
    "LumaSSIM": by_class(lambda: LumaSSIM(0)),
    "a task's validation": by_class(lambda: ColourRegression(RegressionCNN()).val_metrics["psnr"]),
}
OF_ONE: dict[str, Callable[[Tensor], Tensor]] = {
    "colourfulness": colourfulness,
    "luma_levels": luma_levels,
    "Colourfulness": by_class(Colourfulness),
}
METRICS: dict[str, Callable[[Tensor, Tensor], Tensor]] = OF_PAIRS | {
    name: lambda first, second, run=run: torch.cat([run(first).flatten(), run(second).flatten()])
    for name, run in OF_ONE.items()
}


def levels() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    first, second = torch.randint(0, 256, (2, 1, 3, 13, 14), generator=generator, dtype=torch.uint8)
    return first, second


@pytest.mark.parametrize("name", METRICS)
def test_uint8_is_scaled(name: str) -> None:
    first, second = levels()
    expected = METRICS[name](first.float() / 255, second.float() / 255)
    for pair in ((first, second), (first.float() / 255, second), (first, second.float() / 255)):
        torch.testing.assert_close(METRICS[name](*pair), expected)


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda images: images * 255, r"expected values in \[0, 1\], found 0 to 255; divide levels"),
        (lambda images: images * 2 - 1, r"expected values in \[0, 1\], found -1 to 1; clamp"),
        (lambda images: images * 1.01, r"expected values in \[0, 1\], found 0 to 1\.01; clamp"),
        (lambda images: images.where(images < 1, torch.nan), "NaN"),
        (lambda images: (images * 255).long(), r"expected floats in \[0, 1\] or uint8, found torch\.int64"),
    ],
)
def test_other_ranges_are_refused(
    change: Callable[[Tensor], Tensor], message: str, side: int, name: str
) -> None:
    pair = [images.float() / 255 for images in levels()]
    for images in pair:
        images[..., 0, 0], images[..., 1, 1] = 0, 1
    METRICS[name](*pair)
    pair[side] = change(pair[side])
    with pytest.raises(ValueError, match=message) as caught:
        METRICS[name](*pair)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_rounding_passes(dtype: torch.dtype, name: str) -> None:
    first, second = ((images.float() / 255).to(dtype) for images in levels())
    step = torch.finfo(dtype).eps
    METRICS[name](first * (1 + step), (second + step).clamp(max=1 + step) - step)


def test_no_images_are_accepted() -> None:
    assert len(margin_accuracy(torch.zeros(0, 3, 4, 4), torch.zeros(0, 3, 4, 4))) == 0


def test_training_steps_do_not_check() -> None:
    task = ColourRegression(RegressionCNN())
    wrong = torch.full((1, 3, 4, 4), 3.0)

    def metrics(of: MetricCollection) -> list[Metric]:
        return [of[name] for name in ("psnr", "margin12", "margin12_error")]

    for metric in metrics(task.train_metrics):
        metric.update(wrong, wrong)
    for collection in (task.val_metrics, task.test_metrics):
        for metric in metrics(collection):
            with pytest.raises(ValueError, match="found 3 to 3"):
                metric.update(wrong, wrong)
