"""What `mkdocs build` does beside its plugins: pages made from the code, and links out of docs/."""

import importlib
import io
import os
import re
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from imgcolor.cli.main import COMMANDS, main
from imgcolor.pretrained.registry import cards

REPOSITORY = Path(__file__).parents[1]
RESULTS = REPOSITORY / "experiments" / "results"
PACKAGE = REPOSITORY / "src" / "imgcolor"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made, and the modules' to the navigation."""
    modules = sorted(module_names())
    pages = {
        "index.md": (REPOSITORY / "README.md").read_text(encoding="utf-8"),
        "results.md": (REPOSITORY / "experiments" / "RESULTS.md").read_text(encoding="utf-8"),
        "models.md": models_page(),
        "commands.md": commands_page(),
        **{f"api/{name}.md": module_page(name) for name in modules},
    }
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    # RESULTS.md shows them.
    for plot in RESULTS.glob("plots/*.png"):
        files.append(File.generated(config, f"results/plots/{plot.name}", abs_src_path=str(plot)))
    assert config.nav is not None
    config.nav.append({"Modules": [{f"imgcolor.{name}": f"api/{name}.md"} for name in modules]})
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Have links that work on the repository's pages work here too."""
    # Where a page's text lies in the repository, its links start.
    source = {"index.md": "", "results.md": "experiments"}.get(page.file.src_uri, "docs")

    def lead(link: re.Match[str]) -> str:
        mark, text, target, anchor = link.groups()
        path = os.path.normpath(Path(source, target))
        inside = {"README.md": "index.md", "experiments/RESULTS.md": "results.md"}.get(path)
        if path.startswith("docs/"):
            inside = path.removeprefix("docs/")
        elif path.startswith("experiments/results/plots/"):
            inside = path.removeprefix("experiments/")
        if inside is not None:
            return f"{mark}[{text}]({inside}{anchor})"
        if not (REPOSITORY / path).exists():
            return link[0]  # MkDocs says that it leads nowhere
        # The file is in the repository and not in the site.
        return f"[{text}]({config.repo_url}/blob/main/{path})" if config.repo_url else text

    return re.sub(r"(!?)\[([^\]]*)\]\((?!https?:|#)([^)#]+)((?:#[^)]*)?)\)", lead, markdown)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Make links of the docstrings' roles, such as :class:`~imgcolor.colour.Palette`."""

    def link(role: re.Match[str]) -> str:
        name = role[2].rpartition(".")[2] if role[1] else role[2]
        return reference(role[2], name)

    return re.sub(r":(?:func|class|meth|attr|mod|data):<code>(~?)([\w.]+)</code>", link, html)


def reference(path: str, name: str) -> str:
    """A link to a docstring; the bare name where there is none."""
    return f'<autoref optional identifier="{path}"><code>{name}</code></autoref>'


def module_names() -> Iterator[str]:
    """The packages and modules directly in imgcolor: a page each, with all modules inside."""
    for path in PACKAGE.iterdir():
        if not path.name.startswith("_") and (path.suffix == ".py" or (path / "__init__.py").exists()):
            yield path.stem


def module_page(name: str) -> str:
    """A module's docstrings; a package's with those of all its modules, and what it offers itself."""
    if not (PACKAGE / name).is_dir():
        return f"::: imgcolor.{name}\n"
    package = importlib.import_module(f"imgcolor.{name}")
    offered = getattr(package, "__all__", [])
    names = ", ".join(reference(f"imgcolor.{name}.{member}", member) for member in offered)
    here = [member for member in offered if getattr(package, member).__module__ == package.__name__]
    own = f"::: imgcolor.{name}\n    options: {{members: {here or 'false'}}}\n"
    modules = sorted(path.stem for path in (PACKAGE / name).glob("*.py") if not path.name.startswith("_"))
    parts = [f"::: imgcolor.{name}.{module}\n    options: {{heading_level: 2}}\n" for module in modules]
    return "\n".join([own, f"`from imgcolor.{name} import ...`: {names}\n" if names else "", *parts])


def commands_page() -> str:
    """Every command with its own help."""
    parts = ["# Commands\n", _block(help_of())]
    for command, (about, *_) in COMMANDS.items():
        text = help_of(command)
        block = _block(text)
        if text.count("\n") > 60:
            indented = "".join(f"    {line}\n" if line else "\n" for line in block.splitlines())
            block = f'??? info "All options"\n\n{indented}'
        parts.append(f"## imgcolor {command}\n\nTo {about}.\n\n{block}")
    return "\n".join(parts)


def help_of(*command: str) -> str:
    """What the command line says to --help."""
    os.environ["COLUMNS"] = "84"  # of the terminal for which the text is set
    text = io.StringIO()
    with redirect_stdout(text), suppress(SystemExit):
        main([*command, "--help"])
    return text.getvalue().replace(" \b", "")  # jsonargparse's mark of an optional value


def models_page() -> str:
    """The cards of the models that come with the package."""
    parts = [
        "# Models that come with imgcolor\n",
        "`imgcolor models` shows these cards; [Photos](photos.md) says how they are used, and where they fail.",
        "The figures are those of `imgcolor validate` of the file itself, once, on the validation images.\n",
    ]
    for card in cards().values():
        parts += [
            f"## {card.name}\n",
            f"A model that {card.does}.\n",
            f"- trained on {card.data}",
            f"- figures: {card.metric}",
            f"- floor, the best that needs no network: {card.floor}",
            f"- commit {card.commit}, {card.hardware}\n",
            f"```sh\n{card.command}\n```\n",
            f"**What to know of it.** {card.note}\n",
        ]
    return "\n".join(parts)


def _block(text: str) -> str:
    return f"```text\n{text.strip()}\n```\n"
