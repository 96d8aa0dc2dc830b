"""Hooks for `mkdocs build`: they generate pages from the code, and adapt links between repository files."""

import importlib
import io
import os
import re
from contextlib import redirect_stdout, suppress
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from imgcolor.cli.main import COMMANDS, main
from imgcolor.cli.training_help import HELP as SHORT_HELP
from imgcolor.pretrained.registry import cards

REPOSITORY = Path(__file__).parents[1]
PACKAGE = REPOSITORY / "src" / "imgcolor"

COPIED = {
    "index.md": "README.md",
    "results.md": "experiments/RESULTS.md",
    "benchmarks.md": "benchmarks/README.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
    "security.md": "SECURITY.md",
}
"""Pages of the site whose text is outside docs/: page to file in the repository."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not files in docs/, and list the packages in the menu."""
    packages = sorted(path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists())
    pages = {page: (REPOSITORY / path).read_text(encoding="utf-8") for page, path in COPIED.items()}
    pages |= {"models.md": models_page(), "commands.md": commands_page()}
    pages |= {f"api/{name}.md": api_page(name) for name in packages}
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    for plot in (REPOSITORY / "experiments" / "results" / "plots").glob("*.png"):
        files.append(File.generated(config, f"results/plots/{plot.name}", abs_src_path=str(plot)))
    assert config.nav is not None
    config.nav.append({"Python API": [{f"imgcolor.{name}": f"api/{name}.md"} for name in packages]})
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Replace links between files of the repository by links between pages of the site."""
    folder = Path(COPIED.get(page.file.src_uri, f"docs/{page.file.src_uri}")).parent
    pages = {path: copied for copied, path in COPIED.items()}

    def replace(link: re.Match[str]) -> str:
        image, text, target, anchor = link.groups()
        path = os.path.normpath(folder / target)
        if path in pages:
            return f"{image}[{text}]({pages[path]}{anchor})"
        for shown in ("docs/", "experiments/"):
            if files.get_file_from_path(path.removeprefix(shown)):
                return f"{image}[{text}]({path.removeprefix(shown)}{anchor})"
        # A file of the repository that the site does not have keeps its name only; MkDocs reports other links.
        return text if (REPOSITORY / path).exists() else link[0]

    return re.sub(r"(!?)\[([^\]]*)\]\((?!https?:|#)([^)#]+)((?:#[^)]*)?)\)", replace, markdown)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn the roles of docstrings, such as :class:`~imgcolor.colour.Palette`, into links."""

    def link(role: re.Match[str]) -> str:
        tilde, path = role.groups()
        return api_link(path, path.rpartition(".")[2] if tilde else path)

    return re.sub(r":(?:func|class|meth|attr|mod|data):<code>(~?)([\w.]+)</code>", link, html)


def api_link(path: str, text: str) -> str:
    """A link to the API entry of a dotted path; plain text if there is no entry."""
    return f'<autoref optional identifier="{path}"><code>{text}</code></autoref>'


def api_page(name: str) -> str:
    """The API page of a package: its public names, then the docstrings of all its modules."""
    package = importlib.import_module(f"imgcolor.{name}")
    public = getattr(package, "__all__", [])
    names = ", ".join(api_link(f"imgcolor.{name}.{member}", member) for member in public)
    # Names from the modules of the package have their entries there.
    own = [m for m in public if getattr(getattr(package, m), "__module__", None) == package.__name__]
    parts = [f"::: imgcolor.{name}\n    options: {{members: {own or 'false'}}}\n"]
    if names:
        parts.append(f"`from imgcolor.{name} import ...`: {names}\n")
    for path in sorted((PACKAGE / name).rglob("*.py")):
        parents = path.relative_to(PACKAGE).with_suffix("").parts
        if parents == (name, "__init__"):
            continue
        module = ".".join(("imgcolor", *parents)).removesuffix(".__init__")
        if not module.rpartition(".")[2].startswith("_"):
            members = "members: false, " if path.stem == "__init__" else ""
            parts.append(f"::: {module}\n    options: {{{members}heading_level: 2}}\n")
    return "\n".join(parts)


def commands_page() -> str:
    """The help texts of all commands, and all options of those with a short one, collapsed."""
    parts = ["# Command reference\n", code_block(help_text())]
    for command, summary in COMMANDS.items():
        parts.append(f"## imgcolor {command}\n\n{summary.capitalize()}.\n\n{code_block(help_text(command))}")
        if command in SHORT_HELP:
            block = code_block(help_text(command, "--help-all"))
            indented = "".join(f"    {line}\n" if line else "\n" for line in block.splitlines())
            parts.append(f'??? info "All options"\n\n{indented}')
    return "\n".join(parts)


def help_text(command: str = "", option: str = "--help") -> str:
    """The output of a command, or of imgcolor itself, with --help."""
    os.environ["COLUMNS"] = "80"  # narrow enough for a code block of the site
    output = io.StringIO()
    with redirect_stdout(output), suppress(SystemExit):
        main([*command.split(), option])
    return output.getvalue().replace(" \b", "")  # jsonargparse marks optional values with it


def code_block(text: str) -> str:
    """Text as a Markdown code block."""
    return f"```text\n{text.strip()}\n```\n"


def models_page() -> str:
    """The cards of the trained models."""
    parts = [
        "# Trained models\n",
        "These models come with the package, and `imgcolor models` lists them. [Photos](photos.md) describes how "
        "to use them and what they cannot do.\n",
        "The metrics were measured once, by `imgcolor validate` on the validation images, unless the text says "
        "otherwise.\n",
    ]
    for card in cards().values():
        parts += [
            f"## {card.name}\n",
            f"A model that {card.does}.\n",
            f"- training images: {card.data}",
            f"- metrics: {card.metric}",
            f"- best baseline: {card.baseline}",
            f"- commit: {card.commit}",
            f"- hardware and time: {card.hardware}\n",
            f"```sh\n{card.command}\n```\n",
            f"{card.note}\n",
        ]
    return "\n".join(parts)
