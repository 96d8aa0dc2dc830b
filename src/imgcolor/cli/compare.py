"""imgcolor compare: options, final values, curves and images of several runs side by side."""

from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imgcolor.cli.options import CommandParser, UsageError
from imgcolor.utils.errors import ImgcolorError
from imgcolor.utils.files import CONFIG_FILE
from imgcolor.utils.text import count_of, four_digits

_PLACES = ("trainer.logger", "ckpt_path", "predictions")
"""Options that say only where files are."""


@dataclass
class Run:
    """The files of a run.

    Attributes:
        name: The end of the folder's path.
        folder: The run folder.
        options: Full name of an option to its value.
        metrics: The final values, from ``metrics.json``.
    """

    name: str
    folder: Path
    options: dict[str, Any]
    metrics: dict[str, float]


def add_arguments(parser: CommandParser) -> None:
    """Declare the arguments of ``imgcolor compare``."""
    parser.description = (
        "Compare runs: which options differ, the final values side by side, the curves in one plot, and predictions "
        "for the same validation images. Prints the tables, and writes them with the images to a folder."
    )
    parser.example = (
        "imgcolor compare lightning_logs/quickstart/version_0 lightning_logs/quickstart/version_1"
    )
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="a run folder; at least two")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("comparison"),
        metavar="DIR",
        help="where comparison.md, curves.png and images.png are written (default: %(default)s)",
    )


def run(arguments: Namespace) -> None:
    """Print and write the comparison.

    Raises:
        ImgcolorError: If a folder is no finished run.
    """
    if len(arguments.runs) < 2:
        raise UsageError(f"imgcolor compare: expected at least two runs, found {len(arguments.runs)}")
    runs = [_read(folder, name) for folder, name in zip(arguments.runs, _names(arguments.runs), strict=True)]

    from rich.console import Console

    options, values = _option_rows(runs), _value_rows(runs)
    notes = _notes(runs)
    names = max(map(len, [*options, *values]))
    console = Console(width=max(80, names + sum(len(each.name) + 2 for each in runs)))
    title = f"{count_of(len(options), 'option')} of the runs {'differs' if len(options) == 1 else 'differ'}"
    console.print(_table(title, runs, options))
    console.print()
    console.print(_table("final values on the validation images, * the best", runs, values))
    output: Path = arguments.output
    output.mkdir(parents=True, exist_ok=True)
    drawings = {"curves.png": _draw_curves(runs, output / "curves.png")}
    drawings["images.png"] = _draw_images(runs, output / "images.png", notes)
    for note in notes:
        print(f"note: {note}")
    _write_markdown(output / "comparison.md", runs, title, options, values, notes, drawings)
    print(f"\n  comparison  {output / 'comparison.md'}")
    for name, is_drawn in drawings.items():
        if is_drawn:
            print(f"  {name.partition('.')[0]:12}{output / name}")


def _names(folders: Sequence[Path]) -> list[str]:
    """Return short names of run folders that are different: version_0, or quickstart/version_0 and so on."""
    parts = [folder.absolute().parts for folder in folders]
    for count in range(1, max(map(len, parts))):
        names = ["/".join(path[-count:]) for path in parts]
        if len(set(names)) == len(names):
            return names
    return [str(folder) for folder in folders]


def _read(folder: Path, name: str) -> Run:
    import json

    import yaml

    from imgcolor.cli.resuming import flat_options

    try:
        config = yaml.safe_load((folder / CONFIG_FILE).read_text(encoding="utf-8"))
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ImgcolorError(
            f"{folder}: expected a run folder with config.yaml and metrics.json, as `imgcolor fit` writes it ({error})"
        ) from error
    options = {
        option.replace("init_args.", "").removesuffix(".class_path"): value
        for option, value in flat_options(config)
        if not option.startswith(_PLACES)
    }
    return Run(name, folder, options, metrics)


def _option_rows(runs: Sequence[Run]) -> dict[str, list[str]]:
    """Return the options that differ, with one text per run; an option that a run does not have is empty."""
    names = dict.fromkeys(name for each in runs for name in each.options)
    rows = {
        name: [_text(each.options[name]) if name in each.options else "" for each in runs] for name in names
    }
    return {name: values for name, values in rows.items() if len(set(values)) > 1}


def _text(value: Any) -> str:
    text = "null" if value is None else str(value)
    return text.rpartition(".")[2] if text.startswith(("imgcolor.", "torch.", "lightning.")) else text


def _value_rows(runs: Sequence[Run]) -> dict[str, list[str]]:
    """Return the final values, with one text per run; the best of a metric has a star."""
    from imgcolor.baselines.comparison import HIGHER_IS_BETTER
    from imgcolor.cli.result_tables import SHOWN_METRICS, metric_label

    rows: dict[str, list[str]] = {}
    for metric in (name for name in SHOWN_METRICS if name in HIGHER_IS_BETTER):
        found = [each.metrics.get(f"val/{metric}") for each in runs]
        known = [value for value in found if value is not None]
        if not known:
            continue
        best = (max if HIGHER_IS_BETTER[metric] else min)(known)
        rows[metric_label(metric)] = [
            "" if value is None else four_digits(value) + ("*" if value == best else " ") for value in found
        ]
    rows["epochs"] = [str(int(each.metrics["epoch"]) + 1) if "epoch" in each.metrics else "" for each in runs]
    rows["seconds"] = [_seconds(each.folder / "metrics.csv") for each in runs]
    return rows


def _seconds(path: Path) -> str:
    from imgcolor.utils.files import read_rows

    return f"{sum(float(row['seconds']) for row in read_rows(path)):.0f}" if path.is_file() else ""


def _notes(runs: Sequence[Run]) -> list[str]:
    """Return why values may not be comparable."""
    data = (
        "data",
        "data.source",
        "data.root",
        "data.val_images",
        "data.size",
        "data.holdout",
        "data.category",
    )
    differing = [name for name in data if len({_text(each.options.get(name)) for each in runs}) > 1]
    notes = []
    if differing:
        notes.append(f"the validation images of the runs may differ ({', '.join(differing)})")
    if len({_text(each.options.get("model")) for each in runs}) > 1:
        notes.append("the losses of the runs are different functions, because their tasks differ")
    return notes


def _table(title: str, runs: Sequence[Run], rows: Mapping[str, Sequence[str]]) -> Any:
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    for each in runs:
        table.add_column(each.name, justify="right", overflow="fold")
    for name, values in rows.items():
        table.add_row(name, *values)
    return table


def _draw_curves(runs: Sequence[Run], path: Path) -> bool:
    from imgcolor.visualization.curves import plot_curves, read_metrics

    curves = {
        r.name: read_metrics(r.folder / "metrics.csv") for r in runs if (r.folder / "metrics.csv").is_file()
    }
    if curves:
        plot_curves(curves, path)
    return bool(curves)


def _draw_images(runs: Sequence[Run], path: Path, notes: list[str]) -> bool:
    """Draw the predictions of the runs for the same validation images, one row per run, and the targets below."""
    import numpy as np
    import torch
    from PIL import Image

    from imgcolor.visualization.grids import image_grid, save_image

    rows: dict[str, torch.Tensor] = {}
    target: torch.Tensor | None = None
    for each in runs:
        pairs = []
        for file in sorted((each.folder / "images" / "pairs").glob("*.png")):
            pair = torch.from_numpy(np.array(Image.open(file).convert("RGB"))).permute(2, 0, 1)
            width = (pair.shape[-1] - 2) // 2  # prediction, two white columns, target
            pairs.append((pair[..., :width], pair[..., -width:]))
        if not pairs:
            notes.append(
                f"{each.name} is not in images.png: it has no images/pairs (--images.every_n_epochs)"
            )
            continue
        predictions, targets = (torch.stack(images) for images in zip(*pairs, strict=True))
        target = targets if target is None else target
        if not torch.equal(target, targets):
            notes.append(f"{each.name} is not in images.png: it has other validation images")
            continue
        rows[each.name] = predictions
    if target is None:
        return False
    save_image(image_grid({**rows, "target": target}), path)
    return True


def _write_markdown(
    path: Path,
    runs: Sequence[Run],
    title: str,
    options: Mapping[str, Sequence[str]],
    values: Mapping[str, Sequence[str]],
    notes: Sequence[str],
    drawings: Mapping[str, bool],
) -> None:
    from imgcolor.utils.files import atomic_write

    def rows(content: Mapping[str, Sequence[str]]) -> list[str]:
        lines = [f"| | {' | '.join(each.name for each in runs)} |", f"|---|{'---|' * len(runs)}"]
        for name, cells in content.items():
            marked = [f"**{cell[:-1]}**" if cell.endswith("*") else cell.strip() for cell in cells]
            lines.append(f"| {name} | {' | '.join(cell.replace('|', '&#124;') for cell in marked)} |")
        return lines

    lines = ["# Comparison of runs", "", f"{title}:", "", *rows(options), ""]
    lines += ["Final values on the validation images; the best are bold:", "", *rows(values), ""]
    lines += [f"- {note}" for note in notes] + [""] * bool(notes)
    lines += [f"![{name.partition('.')[0]}]({name})\n" for name, is_drawn in drawings.items() if is_drawn]
    atomic_write(path, "\n".join(lines).rstrip() + "\n")
