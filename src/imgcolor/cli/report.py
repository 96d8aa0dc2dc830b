"""imgcolor report: write the results page, and the table of the README, from the tables of results."""

from argparse import Namespace
from pathlib import Path
from typing import Any

import yaml

from imgcolor.cli.options import CommandParser
from imgcolor.cli.report_runs import check_commands
from imgcolor.cli.report_summary import summary_table, with_readme_table
from imgcolor.cli.report_tables import compared_options, plots_of
from imgcolor.utils.errors import ImgcolorError
from imgcolor.utils.files import atomic_write

_HEAD = "<!-- Made by `imgcolor report` from results/page.yaml and results/*.csv: change those. -->"


def add_arguments(parser: CommandParser) -> None:
    """Declare the arguments of ``imgcolor report``."""
    parser.description = (
        "Write RESULTS.md and its plots from results/page.yaml and the tables results/*.csv. If page.yaml has rows "
        "for it, the table of ../README.md is written too. The commands of all runs are checked before."
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("experiments"),
        help="the folder of RESULTS.md and results/ (default: %(default)s)",
    )


def run(arguments: Namespace) -> None:
    """Check the commands, and write the page, its plots and the README's table.

    Raises:
        ImgcolorError: If the page or a table cannot be read, or a run has no command that `imgcolor fit` accepts.
    """
    results = arguments.folder / "results"
    page = read_page(results)
    check_commands(results, tables_of(page), texts_of(page))
    texts = {arguments.folder / "RESULTS.md": render(results)}
    if "readme" in page:
        readme = arguments.folder.parent / "README.md"
        if not readme.is_file():
            raise ImgcolorError(
                f"{readme}: expected the README whose table page.yaml has, found no such file"
            )
        texts[readme] = with_readme_table(readme.read_text(encoding="utf-8"), results, page)
    for path, text in texts.items():
        atomic_write(path, text)
        print(f"wrote {path}")
    for section in page["sections"]:
        for table in section.get("tables", ()):
            for plot in plots_of(results, table):
                print(f"wrote {plot.draw()}")


def render(results: Path) -> str:
    """Return the results page as Markdown.

    Args:
        results: The folder of page.yaml and of the tables.

    Returns:
        The text. Rows without a run have the text "not run yet".

    Raises:
        ImgcolorError: If the page or a table cannot be read.
    """
    page = read_page(results)
    parts = [_HEAD, f"# {page['title']}", page["text"].strip()]
    for section in page["sections"]:
        parts.append(f"## {section['title']}")
        if "intro" in section:
            parts.append(section["intro"].strip())
        if "summary" in section:
            parts += summary_table(results, section["summary"])
        for table in section.get("tables", ()):
            parts += compared_options(results, table)
            parts += [
                f"![{plot.title}]({plot.path.relative_to(results.parent)})"
                for plot in plots_of(results, table)
            ]
        if "text" in section:
            parts.append(section["text"].strip())
    return "\n\n".join(parts) + "\n"


def read_page(results: Path) -> dict[str, Any]:
    """Read page.yaml.

    Raises:
        ImgcolorError: If it cannot be read or is no page.
    """
    path = results / "page.yaml"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ImgcolorError(
            f"{path}: expected the page's sections as YAML ({' '.join(str(error).split())})"
        ) from error
    if not isinstance(content, dict) or not {"title", "text", "sections"} <= set(content):
        raise ImgcolorError(f"{path}: expected title, text and sections")
    return content


def tables_of(page: dict[str, Any]) -> list[str]:
    """Return the names of the tables of results that a page shows."""
    names = []
    for section in page["sections"]:
        names += [table["results"] for table in section.get("tables", ())]
        if "summary" in section:
            names.append(section["summary"]["results"])
            sources = [source for row in section["summary"]["rows"] for source in row.get("runs", ())]
            names += [source["results"] for source in sources if "results" in source]
    return list(dict.fromkeys(names))


def texts_of(page: dict[str, Any]) -> dict[str, str]:
    """Return the title of each section of a page with its texts."""
    return {
        section["title"]: section.get("intro", "") + section.get("text", "") for section in page["sections"]
    }
