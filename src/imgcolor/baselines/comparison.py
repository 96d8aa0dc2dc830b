"""The best baseline of each metric."""

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
"""The figures that have a baseline, in the order of display."""


def baselines_of(metric: str, metrics: Mapping[str, float]) -> list[tuple[str, float]]:
    """Each baseline's name and value of a figure, of ``baseline/NAME/FIGURE`` to value."""
    keys = [key for key in metrics if key.startswith("baseline/") and key.endswith(f"/{metric}")]
    return [(key.split("/")[1], metrics[key]) for key in keys]


def best_baselines(metrics: Mapping[str, float]) -> dict[str, tuple[str, float]]:
    """The baseline of each figure: the best that needs no network.

    Args:
        metrics: ``baseline/NAME/METRIC`` to value; other names are passed over.

    Returns:
        Figure to the best baseline's name and its value, in the order of display.
    """
    found = {metric: baselines_of(metric, metrics) for metric in HIGHER_IS_BETTER}
    return {
        metric: (max if HIGHER_IS_BETTER[metric] else min)(named, key=lambda pair: pair[1])
        for metric, named in found.items()
        if named
    }
