"""imgcolor models: what comes with the package."""

from rich.console import Console
from rich.table import Table

from imgcolor.cards import cards
from imgcolor.errors import ImgcolorError


def models(name: str | None = None) -> None:
    """List the models that come with the package, or tell all about one.

    Args:
        name: One of them.

    Raises:
        ImgcolorError: If there is no such model.
    """
    shipped = cards()
    console = Console(width=110, highlight=False)
    if name is None:
        table = Table(box=None, pad_edge=False)
        for column in ("model", "does", "trained on", "validation", "without a network", "size"):
            table.add_column(column, no_wrap=column in ("model", "size"))
        for card in shipped.values():
            size = f"{card.path.stat().st_size / 1e6:.1f} MB"
            table.add_row(card.name, card.does, card.data, card.metric, card.floor, size)
        console.print(table)
        print("\nimgcolor models --name NAME tells all about one.")
        return
    if name not in shipped:
        raise ImgcolorError(f"name: expected one of {', '.join(shipped)}, found {name!r}")
    card = shipped[name]
    rows = {
        "does": card.does,
        "trained on": card.data,
        "validation": card.metric,
        "without a network": card.floor,
        "command": card.command,
        "commit": card.commit,
        "hardware": card.hardware,
        "note": card.note,
        "file": str(card.path),
    }
    table = Table(box=None, pad_edge=False, show_header=False, title=name, title_justify="left")
    table.add_column(no_wrap=True)
    table.add_column()
    for label, text in rows.items():
        table.add_row(label, text)
    console.print(table)
