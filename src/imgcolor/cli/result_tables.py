"""A run's figures beside their floor, as a table for the terminal."""

from collections.abc import Mapping

from rich.table import Table

from imgcolor.baselines.comparison import HIGHER_IS_BETTER, baselines_of, best_floors


def result_table(title: str, figures: Mapping[str, float]) -> Table:
    """Set a network's figures beside the best that needs no network.

    Args:
        title: Stands above the table.
        figures: Name to value, as in ``metrics.json``: ``train/...``, ``val/...``, ``test/...``, ``baseline/...``.

    Returns:
        A row a figure, a column a split, and the best of the baselines with its name.
    """
    splits = [split for split in ("train", "val", "test") if any(n.startswith(f"{split}/") for n in figures)]
    floors = best_floors(figures)
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("")
    for split in splits:
        table.add_column(split, justify="right")
    if floors:
        table.add_column("floor", justify="right")
        table.add_column("", style="dim")
    for name in HIGHER_IS_BETTER:
        values = [figures.get(f"{split}/{name}") for split in splits]
        floor = floors.get(name)
        if any(value is not None for value in values):
            cells = ["" if value is None else f"{value:.4g}" for value in values]
            table.add_row(name, *cells, *((f"{floor[1]:.4g}", floor[0]) if floor else ()))
    for split in splits:
        if f"{split}/colourfulness" in figures:
            cells = [f"{figures[f'{split}/colourfulness']:.4g}" if other == split else "" for other in splits]
            truth = figures[f"{split}/colourfulness_target"]
            floor = _nearest_colourfulness(truth, figures)
            beside = (f"{floor[1]:.4g}", f"{floor[0]}; the truth has {truth:.4g}") if floor else ()
            table.add_row("colourfulness", *cells, *beside)
    return table


def baseline_table(title: str, figures: Mapping[str, float]) -> Table:
    """Set the baselines beside each other.

    Args:
        title: Stands above the table.
        figures: ``baseline/NAME/FIGURE`` to value.

    Returns:
        A row a baseline, a column a figure.
    """
    names = list(dict.fromkeys(key.split("/")[1] for key in figures))
    shown = [f for f in [*HIGHER_IS_BETTER, "colourfulness"] if any(key.endswith(f"/{f}") for key in figures)]
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("")
    for figure in shown:
        table.add_column(figure, justify="right", no_wrap=True)
    for name in names:
        values = [figures.get(f"baseline/{name}/{figure}") for figure in shown]
        table.add_row(name, *("" if value is None else f"{value:.4g}" for value in values))
    return table


def _nearest_colourfulness(truth: float, figures: Mapping[str, float]) -> tuple[str, float] | None:
    """The baseline that is about as colourful as the truth: its name and value."""
    found = baselines_of("colourfulness", figures)
    return min(found, key=lambda pair: abs(pair[1] - truth)) if found else None
