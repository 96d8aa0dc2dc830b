"""docs/architecture.md describes the source tree as it is."""

import re
from pathlib import Path

import pytest

import imgcolor

PACKAGE = Path(imgcolor.__file__).parent
FOLDERS_OF_A_RUN = ("checkpoints/", "images/")


@pytest.fixture
def page(repository: Path) -> str:
    return (repository / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_named_files_exist(page: str, repository: Path) -> None:
    for path in re.findall(r"`((?:\w+/)+(?:\w+\.\w+)?)`", page):
        if "NAME" in path or path in FOLDERS_OF_A_RUN:
            continue
        assert (PACKAGE / path).exists() or (repository / path).exists(), path


def test_every_package_is_named(page: str) -> None:
    for folder in PACKAGE.iterdir():
        if (folder / "__init__.py").exists():
            assert re.search(rf"^  {folder.name}/ ", page, re.MULTILINE), folder.name


def test_long_files_have_a_reason(page: str) -> None:
    reasons = page.partition("## Long files")[2]
    for path in PACKAGE.rglob("*.py"):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert lines <= 300 or f"`{path.relative_to(PACKAGE)}`" in reasons, path
