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
"""The figures that have a floor, in the order of display."""


def baselines_of(figure: str, figures: Mapping[str, float]) -> list[tuple[str, float]]:
    """Each baseline's name and value of a figure, of ``baseline/NAME/FIGURE`` to value."""
    keys = [key for key in figures if key.startswith("baseline/") and key.endswith(f"/{figure}")]
    return [(key.split("/")[1], figures[key]) for key in keys]


def best_floors(figures: Mapping[str, float]) -> dict[str, tuple[str, float]]:
    """The floor of each figure: the best that needs no network.

    Args:
        figures: ``baseline/NAME/FIGURE`` to value; other names are passed over.

    Returns:
        Figure to the best baseline's name and its value, in the order of display.
    """
    found = {figure: baselines_of(figure, figures) for figure in HIGHER_IS_BETTER}
    return {
        figure: (max if HIGHER_IS_BETTER[figure] else min)(named, key=lambda pair: pair[1])
        for figure, named in found.items()
        if named
    }
