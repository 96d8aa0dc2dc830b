"""Plot metrics: over epochs, over the values of an option, and over margins."""

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgcolor.utils.files import atomic_write, read_rows

if TYPE_CHECKING:  # not at run time: `imgcolor report` needs no torch
    from torch import Tensor

_DPI = 110
_TITLES = {
    "loss": "loss",
    "mse": "mean squared error",
    "psnr": "PSNR (dB)",
    "margin12": "12-margin accuracy",
    "margin12_error": "12-margin error",
    "accuracy": "accuracy",
    "ssim": "SSIM",
    "delta_e": "CIEDE2000",
}


def read_metrics(path: Path) -> dict[str, list[tuple[int, float]]]:
    """Read a run's ``metrics.csv``.

    Args:
        path: The file.

    Returns:
        Column to (epoch, value) pairs, without missing values.
    """
    columns: dict[str, list[tuple[int, float]]] = {}
    for row in read_rows(path):
        for name, value in row.items():
            if name != "epoch" and value:
                columns.setdefault(name, []).append((int(row["epoch"]), float(value)))
    return columns


def plot_curves(
    runs: Mapping[str, Mapping[str, Sequence[tuple[int, float]]]],
    path: Path,
    metrics: Sequence[str] = (),
    log: bool = False,
    baselines: Mapping[str, tuple[str, float]] | None = None,
) -> None:
    """Plot metrics over epochs, one panel per metric and one colour per run: training dashed, validation solid.

    More than three panels are in two rows, in an image that is at most 1,200 pixels wide.

    Args:
        runs: Name of a run to the result of :func:`read_metrics`. The name of a single run is not shown.
        path: The PNG to write.
        metrics: The metrics to plot, such as ``loss`` for ``train/loss`` and ``val/loss``. By default, those of
            the runs that have a title here: loss, mean squared error, PSNR, 12-margin accuracy, accuracy, SSIM and
            CIEDE2000.
        log: Whether the vertical axis is logarithmic.
        baselines: Metric to name and value of its best baseline, which is drawn as a level line.
    """
    # Not pyplot, which keeps figures in memory and looks for a display. Imported here: it takes half a second.
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    logged = {name.partition("/")[2] for columns in runs.values() for name in columns}
    metrics = metrics or [metric for metric in _TITLES if metric in logged]
    rows = 1 if len(metrics) <= 3 else 2
    columns_shown = math.ceil(len(metrics) / rows)
    size = (min(4.2 * columns_shown, 1200 / _DPI), 3.4 * rows)
    figure = Figure(figsize=size, layout="constrained", dpi=_DPI)
    panels = list(figure.subplots(rows, columns_shown, squeeze=False).flat)
    for panel, metric in zip(panels, metrics, strict=False):
        for number, (run, columns) in enumerate(runs.items()):
            for split, style in (("train", "--"), ("val", "-")):
                points = columns.get(f"{split}/{metric}")
                if points:
                    label = split if len(runs) == 1 else f"{run}, {split}"
                    epochs, values = zip(*points, strict=True)
                    marker = "." if len(points) < 3 else ""
                    panel.plot(epochs, values, style, color=f"C{number}", label=label, marker=marker)
        if baselines and metric in baselines:
            name, value = baselines[metric]
            panel.axhline(value, color="black", linestyle=":", label=name)
        panel.set_title(_TITLES.get(metric, metric))
        panel.set_xlabel("epoch")
        if log:
            panel.set_yscale("log")
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.grid(alpha=0.3, which="both")
        if len(runs) <= 3:
            panel.legend(fontsize="small")
    for panel in panels[len(metrics) :]:
        panel.remove()
    if len(runs) > 3:  # a long legend would hide the curves
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize="small")
    _save(figure, path)


def plot_swept(
    points: Mapping[str, Mapping[str, Sequence[tuple[float | str, float, float]]]],
    path: Path,
    label: str,
    titles: Sequence[str],
) -> None:
    """Plot metrics over the values of an option, one panel per metric.

    Reference values, such as those of a course report, are drawn as hollow circles.

    Args:
        points: Metric to name of a series to (value of the option, metric, reference value or NaN).
        path: The PNG to write.
        label: Name of the option.
        titles: The panels' titles, in the order of the metrics.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2 * len(points), 3.4), layout="constrained", dpi=_DPI)
    panels = figure.subplots(1, len(points), squeeze=False)[0]
    for panel, series, title in zip(panels, points.values(), titles, strict=True):
        for number, (name, triples) in enumerate(series.items()):
            values, metrics, references = zip(*triples, strict=True)
            shown = values if all(isinstance(v, int | float) for v in values) else tuple(map(str, values))
            panel.plot(shown, metrics, "o-", color=f"C{number}", label=name or "here")
            if not all(map(math.isnan, references)):
                hollow = {"color": f"C{number}", "markerfacecolor": "none", "alpha": 0.7}
                panel.plot(shown, references, "o:", label=f"{name} in the report".strip(), **hollow)
            if all(isinstance(v, int | float) for v in values) and max(values) > 8 * min(values) > 0:
                panel.set_xscale("log")
            if min(metrics) > 0 and max(metrics) > 8 * min(metrics):
                panel.set_yscale("log")
        panel.set_title(title)
        panel.set_xlabel(label)
        panel.grid(alpha=0.3)
        panel.legend(fontsize="small")
    _save(figure, path)


def _save(figure: Any, path: Path) -> None:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    atomic_write(path, buffer.getvalue())


def plot_margins(curves: Mapping[str, "Tensor"], path: Path) -> None:
    """Plot margin accuracy over the margin.

    Args:
        curves: Name to the result of :class:`~imgcolor.metrics.MarginCurve`. The first, the network's, is drawn
            in black.
        path: The PNG to write.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 3.8), layout="constrained", dpi=_DPI)
    panel = figure.subplots()
    shown = 65
    for number, (name, curve) in enumerate(curves.items()):
        style = {"color": "black", "linewidth": 2.0} if number == 0 else {"linestyle": "--"}
        panel.plot(range(shown), curve[:shown].tolist(), label=name, **style)
    panel.axvline(12, color="grey", linewidth=0.8)
    panel.set_title("channel values closer to the target than the margin")
    panel.set_xlabel("margin (of 256 levels)")
    panel.set_ylabel("fraction")
    panel.set_ylim(0, 1)
    panel.grid(alpha=0.3)
    panel.legend()
    _save(figure, path)


def plot_search(
    points: Mapping[str, Sequence[tuple[float, float]]], name: str, found: float, path: Path
) -> None:
    """Plot what a search for a learning rate or a batch size measured.

    Args:
        points: Name of a measured quantity to pairs of the option's value and its own.
        name: The option.
        found: The value that was chosen, drawn as a vertical line.
        path: The PNG to write.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained", dpi=150)
    axes = figure.subplots()
    for quantity, pairs in points.items():
        finite = [pair for pair in pairs if math.isfinite(pair[1])]
        axes.plot(*zip(*finite, strict=True) if finite else ([], []), marker="o", markersize=3)
        axes.set_ylabel(quantity)
    axes.axvline(found, color="black", linestyle="dashed", label=f"{name} {found:.3g}")
    axes.set_xscale("log")
    axes.set_xlabel(name)
    axes.legend()
    _save(figure, path)
