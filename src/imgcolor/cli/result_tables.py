"""Tables of metrics for the terminal."""

from collections.abc import Mapping

from rich.table import Table

from imgcolor.baselines.comparison import HIGHER_IS_BETTER, baselines_of, best_baselines


def result_table(title: str, metrics: Mapping[str, float]) -> Table:
    """Return a table of a network's metrics and the best baseline of each.

    Args:
        title: The title of the table.
        metrics: Name to value, as in ``metrics.json``: ``train/...``, ``val/...``, ``test/...``, ``baseline/...``.

    Returns:
        One row per metric, one column per split, then the value and the name of the best baseline.
    """
    splits = [split for split in ("train", "val", "test") if any(n.startswith(f"{split}/") for n in metrics)]
    baselines = best_baselines(metrics)
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("")
    for split in splits:
        table.add_column(split, justify="right")
    if baselines:
        table.add_column("baseline", justify="right")
        table.add_column("", style="dim")
    for name in HIGHER_IS_BETTER:
        values = [metrics.get(f"{split}/{name}") for split in splits]
        baseline = baselines.get(name)
        if any(value is not None for value in values):
            cells = ["" if value is None else f"{value:.4g}" for value in values]
            table.add_row(name, *cells, *((f"{baseline[1]:.4g}", baseline[0]) if baseline else ()))
    for split in splits:
        if f"{split}/colourfulness" in metrics:
            cells = [f"{metrics[f'{split}/colourfulness']:.4g}" if other == split else "" for other in splits]
            original = metrics[f"{split}/colourfulness_target"]
            baseline = _nearest_colourfulness(original, metrics)
            reference = (
                (f"{baseline[1]:.4g}", f"{baseline[0]}; the originals have {original:.4g}")
                if baseline
                else ()
            )
            table.add_row("colourfulness", *cells, *reference)
    return table


def baseline_table(title: str, metrics: Mapping[str, float]) -> Table:
    """Return a table of the metrics of all baselines.

    Args:
        title: The title of the table.
        metrics: ``baseline/NAME/METRIC`` to value.

    Returns:
        One row per baseline, one column per metric.
    """
    names = list(dict.fromkeys(key.split("/")[1] for key in metrics))
    shown = [f for f in [*HIGHER_IS_BETTER, "colourfulness"] if any(key.endswith(f"/{f}") for key in metrics)]
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("")
    for metric in shown:
        table.add_column(metric, justify="right", no_wrap=True)
    for name in names:
        values = [metrics.get(f"baseline/{name}/{metric}") for metric in shown]
        table.add_row(name, *("" if value is None else f"{value:.4g}" for value in values))
    return table


def _nearest_colourfulness(original: float, metrics: Mapping[str, float]) -> tuple[str, float] | None:
    """Return name and value of the baseline whose colourfulness is nearest to that of the originals."""
    found = baselines_of("colourfulness", metrics)
    return min(found, key=lambda pair: abs(pair[1] - original)) if found else None
