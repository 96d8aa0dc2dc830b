"""imgcolor models: list the trained models that come with the package."""

from argparse import Namespace
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from imgcolor.cli.options import CommandParser
from imgcolor.pretrained.registry import Card, cards
from imgcolor.utils.errors import ImgcolorError


def add_arguments(parser: CommandParser) -> None:
    """Declare the arguments of ``imgcolor models``."""
    parser.description = "List the trained models that come with imgcolor, or describe one."
    parser.add_argument("name", nargs="?", metavar="NAME", help="the model to describe")


def run(arguments: Namespace) -> None:
    """List the models, or describe one.

    Raises:
        ImgcolorError: If there is no such model.
    """
    name = arguments.name
    shipped = cards()
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 110
    if name is None:
        _list(shipped, console)
    elif name not in shipped:
        raise ImgcolorError(f"models: expected one of {', '.join(shipped)}, found {name!r}")
    else:
        _describe(shipped[name], console)


def _list(shipped: Mapping[str, Card], console: Console) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("model", "does", "trained on", "validation", "best baseline", "size"):
        table.add_column(column, no_wrap=column in ("model", "size"))
    for card in shipped.values():
        size = f"{card.path.stat().st_size / 1e6:.1f} MB"
        table.add_row(card.name, card.does, card.data, card.metric, card.baseline, size)
    console.print(table)
    print("\nimgcolor models NAME describes one of them.")


def _describe(card: Card, console: Console) -> None:
    rows = {
        "does": card.does,
        "trained on": card.data,
        "validation": card.metric,
        "best baseline": card.baseline,
        "command": card.command,
        "commit": card.commit,
        "hardware": card.hardware,
        "note": card.note,
        "file": str(card.path),
    }
    table = Table(box=None, pad_edge=False, show_header=False, title=card.name, title_justify="left")
    table.add_column(no_wrap=True)
    table.add_column()
    for label, text in rows.items():
        table.add_row(label, text)
    console.print(table)
