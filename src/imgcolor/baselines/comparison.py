"""Find the best baseline for each metric."""

from collections.abc import Mapping

HIGHER_IS_BETTER: dict[str, bool] = {
    "loss": False,
    "accuracy": True,
    "mse": False,
    "psnr": True,
    "margin12": True,
    "margin12_error": False,
    "ssim": True,
    "lpips": False,
    "delta_e": False,
}
"""The metrics that baselines have, in the order of display."""


def baselines_of(metric: str, metrics: Mapping[str, float]) -> list[tuple[str, float]]:
    """Return name and value of each baseline that has a metric.

    Args:
        metric: Such as ``psnr``.
        metrics: ``baseline/NAME/METRIC`` to value; other names are ignored.

    Examples:
        >>> baselines_of("mse", {"baseline/bilinear/mse": 0.02, "baseline/bicubic/mse": 0.01, "val/mse": 0.005})
        [('bilinear', 0.02), ('bicubic', 0.01)]
    """
    keys = [key for key in metrics if key.startswith("baseline/") and key.endswith(f"/{metric}")]
    return [(key.split("/")[1], metrics[key]) for key in keys]


def best_baselines(metrics: Mapping[str, float]) -> dict[str, tuple[str, float]]:
    """Return the best baseline for each metric.

    Args:
        metrics: ``baseline/NAME/METRIC`` to value; other names are ignored.

    Returns:
        Metric to the best baseline's name and its value, in the order of display.

    Examples:
        >>> best_baselines({"baseline/bilinear/mse": 0.02, "baseline/bicubic/mse": 0.01})
        {'mse': ('bicubic', 0.01)}
    """
    found = {metric: baselines_of(metric, metrics) for metric in HIGHER_IS_BETTER}
    return {
        metric: (max if HIGHER_IS_BETTER[metric] else min)(named, key=lambda pair: pair[1])
        for metric, named in found.items()
        if named
    }
