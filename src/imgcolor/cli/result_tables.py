"""Tables of metrics for the terminal."""

import math
from collections.abc import Mapping

from rich.table import Table

from imgcolor.baselines.comparison import HIGHER_IS_BETTER, baselines_of, best_baselines
from imgcolor.utils.text import four_digits

SHOWN_METRICS = (*(name for name in HIGHER_IS_BETTER if name != "margin12_error"), "colourfulness")
"""The metrics of the tables; ``margin12_error`` is 1 - ``margin12``."""

_ARROWS = {True: "↑", False: "↓"}
_COLOURS = {"better": "green", "worse": "red", "equal": "default"}


def metric_label(name: str) -> str:
    """Return the name of a metric with an arrow for its direction, such as ``psnr ↑``."""
    return f"{name} {_ARROWS[HIGHER_IS_BETTER[name]]}" if name in HIGHER_IS_BETTER else name


def result_table(title: str, metrics: Mapping[str, float]) -> Table:
    """Return a table of a network's metrics and the best baseline of each.

    Args:
        title: The title of the table.
        metrics: Name to value, as in ``metrics.json``: ``train/...``, ``val/...``, ``test/...``, ``baseline/...``.

    Returns:
        One row per metric: its direction, one column per split, whether the last of them is better or worse than
        the best baseline, and that baseline. The heading names the baseline that is the best for most metrics, the
        last column the others.
    """
    splits = _splits(metrics)
    baselines = _references(metrics)
    usual = usual_baseline(metrics)
    marks = compare_with_baselines(metrics)
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("")
    for split in splits:
        table.add_column(split, justify="right")
    if baselines:
        table.add_column("", no_wrap=True)
        table.add_column(f"best baseline\n{usual}", justify="right")
        table.add_column("", style="dim")
    for name in SHOWN_METRICS:
        values = [metrics.get(f"{split}/{name}") for split in splits]
        if all(value is None for value in values):
            continue
        cells = ["" if value is None else four_digits(value) for value in values]
        if baselines:
            baseline, value = baselines.get(name, (usual, math.nan))
            mark = marks.get(name, "")
            other = "" if baseline == usual else baseline
            cells += [
                f"[{_COLOURS[mark]}]{mark}" if mark else "",
                "" if math.isnan(value) else four_digits(value),
                other,
            ]
        label = metric_label(name)
        if name == "colourfulness":
            label += f" → {four_digits(_original_colourfulness(metrics))}"
        table.add_row(label, *cells)
    return table


def verdict(metrics: Mapping[str, float]) -> str | None:
    """Return one sentence: in how many metrics the network is better than the best baseline of each.

    Args:
        metrics: Name to value, as in ``metrics.json``.

    Returns:
        The sentence without a full stop; None if there are no baselines.
    """
    marks = compare_with_baselines(metrics)
    if not marks:
        return None
    worse = [name for name, mark in marks.items() if mark != "better"]
    wins = len(marks) - len(worse)
    names = f" (not {', '.join(worse)})" if 0 < len(worse) <= 3 and wins else ""
    return f"the network beats the best baseline in {wins} of {len(marks)} metrics{names}"


def compare_with_baselines(metrics: Mapping[str, float]) -> dict[str, str]:
    """Compare the values of the last split with the best baseline of each metric.

    Args:
        metrics: Name to value, as in ``metrics.json``.

    Returns:
        Metric to ``better``, ``worse`` or ``equal``, for the metrics that both have.
    """
    split = _splits(metrics)[-1]
    marks: dict[str, str] = {}
    for name, (_, reference) in _references(metrics).items():
        value = metrics.get(f"{split}/{name}")
        if name not in SHOWN_METRICS or value is None:
            continue
        if name == "colourfulness":
            # The best value is that of the originals.
            original = _original_colourfulness(metrics)
            value, reference = -abs(value - original), -abs(reference - original)
        elif not HIGHER_IS_BETTER[name]:
            value, reference = -value, -reference
        marks[name] = "equal" if value == reference else "better" if value > reference else "worse"
    return marks


def usual_baseline(metrics: Mapping[str, float]) -> str:
    """Return the baseline that is the best one for most metrics; an empty text if there are none."""
    names = [name for metric, (name, _) in _references(metrics).items() if metric in SHOWN_METRICS]
    return max(dict.fromkeys(names), key=names.count, default="")


def _splits(metrics: Mapping[str, float]) -> list[str]:
    return [split for split in ("train", "val", "test") if any(n.startswith(f"{split}/") for n in metrics)]


def _references(metrics: Mapping[str, float]) -> dict[str, tuple[str, float]]:
    """Return name and value of the best baseline for each metric, also for the colourfulness."""
    references = best_baselines(metrics)
    original = _original_colourfulness(metrics)
    found = baselines_of("colourfulness", metrics)
    if found and not math.isnan(original):
        references["colourfulness"] = min(found, key=lambda pair: abs(pair[1] - original))
    return references


def _original_colourfulness(metrics: Mapping[str, float]) -> float:
    splits = _splits(metrics)
    return metrics.get(f"{splits[-1]}/colourfulness_target", math.nan) if splits else math.nan


def baseline_table(title: str, metrics: Mapping[str, float]) -> Table:
    """Return a table of the metrics of all baselines.

    Args:
        title: The title of the table.
        metrics: ``baseline/NAME/METRIC`` to value.

    Returns:
        One row per baseline, one column per metric.
    """
    names = list(dict.fromkeys(key.split("/")[1] for key in metrics))
    shown = [f for f in SHOWN_METRICS if any(key.endswith(f"/{f}") for key in metrics)]
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("")
    for metric in shown:
        table.add_column(metric, justify="right", no_wrap=True)
    for name in names:
        values = [metrics.get(f"baseline/{name}/{metric}") for metric in shown]
        table.add_row(name, *("" if value is None else four_digits(value) for value in values))
    return table
