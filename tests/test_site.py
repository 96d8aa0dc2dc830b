"""The documentation site of `make docs`."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from imgcolor.cli.main import COMMANDS

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site; with --strict, a broken link or anchor is an error."""
    pytest.importorskip("mkdocs")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_reference_has_all_commands_and_public_modules(site: Path, repository: Path) -> None:
    commands = (site / "commands.html").read_text()
    for command in COMMANDS:
        assert f'id="imgcolor-{command}"' in commands, command
        assert f"usage: imgcolor {command}" in commands or f"[options] {command}" in commands, command
    documented = "".join(path.read_text() for path in (site / "api").glob("*.html"))
    package = repository / "src" / "imgcolor"
    for path in package.rglob("*.py"):
        name = ".".join(["imgcolor", *path.relative_to(package).with_suffix("").parts])
        if not path.stem.startswith("_"):
            assert f'id="{name}"' in documented, name
    assert 'href="colour.html#imgcolor.colour.' in documented  # roles in docstrings become links
    assert not re.search(r":(func|class|meth|attr):<code>", documented)


def test_model_cards_results_and_readme_are_pages(site: Path, repository: Path) -> None:
    models = (site / "models.html").read_text()
    for name in ("faces", "horses", "horses_x4"):
        assert f'id="{name}"' in models
    results = (site / "results.html").read_text()
    for image in re.findall(r'<img[^>]* src="([^"]+)"', results):
        assert (site / image).is_file(), image
    assert 'id="colour-a-photo"' in (site / "index.html").read_text()


@contextmanager
def served(folder: Path) -> Iterator[str]:
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed: make test-browser, as root")
    playwright = pytest.importorskip("playwright.sync_api")
    options = ["--disable-gpu", "--disable-background-networking"]
    if os.geteuid() == 0:
        options.append("--no-sandbox")
    with playwright.sync_playwright() as program:
        chromium = program.chromium.launch(executable_path=CHROMIUM, args=options)
        yield chromium
        chromium.close()


@pytest.mark.parametrize("opened_as_file", [True, False], ids=["file", "server"])
def test_search_works_offline(site: Path, browser: "Browser", opened_as_file: bool) -> None:
    with served(site) as server:
        address = site.as_uri() if opened_as_file else server
        page = browser.new_page(viewport={"width": 390, "height": 844})
        page.set_default_timeout(120_000)
        requested: list[str] = []
        page.on("request", lambda request: requested.append(request.url))
        page.goto(f"{address}/index.html")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390  # no horizontal scroll bar
        page.locator("label.md-header__button[for=__search]").click()
        page.get_by_placeholder("Search").press_sequentially("PredictionWriter")
        page.locator("a.md-search-result__link", has_text="imgcolor.callbacks").click()
        page.wait_for_url("**/api/callbacks.html*")
        page.close()
    assert [url for url in requested if not url.startswith((address, "blob:", "data:"))] == []


def test_code_lines_fit_a_small_laptop(site: Path, browser: "Browser") -> None:
    page = browser.new_page(viewport={"width": 1366, "height": 768})
    cut = {}
    for path in sorted(site.rglob("*.html")):
        page.goto(path.as_uri())
        page.evaluate("document.querySelectorAll('details').forEach(element => element.open = true)")
        cut[str(path.relative_to(site))] = page.evaluate(
            """[...document.querySelectorAll("pre > code")].filter(code => code.scrollWidth > code.clientWidth + 1)
            .map(code => code.innerText.slice(0, 80))"""
        )
    page.close()
    assert {name: found for name, found in cut.items() if found} == {}
