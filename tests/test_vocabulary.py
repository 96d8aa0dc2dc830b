"""Code, options and docs use one word per idea; the words that were replaced do not come back."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPLACED = {
    r"\bfloors?\b": "baseline",
    r"\bfigures?\b": "metric or value",
    r"\bpictures?\b": "image",
    r"\bis_filled\b|\bdef learn\b|\.learn\(|\.learned\(": "fit, is_fitted, from_images",
    r"\brecipes?\b|\bdescribe\(|\bremember\(": "config, get_config",
    r"\bPalette\.of\(": "Palette.from_images",
    r"\bendings?\b": "extension",
    r"\bbesides?\b": "next to, with, also",
    r"\bmirror\s*[:=]": "flip_tta",
    r"\b(?:colours|filters|kernels)(?:: (?:int\b|\d+$)|=\d)": "out_channels, base_channels, hidden_channels",
    r"\benlarges\s*[:=(]|\bupscale(?:: (?:int\b|\d)|=\d)": "scale_factor",
    r"\b(?:a|the|one|each|equal|largest|smallest)\s+shares?\s+(?:of|in)\b|_share\b|\bshare: float": "fraction",
    r"\b(?:the|own|exact|input|image's)\s+luminance\b": "grey, or luma",
    r"\bwrite_whole\b|\bevaluating\(|\bto_colour\(|\bundoubled\b|\bhasten\b|\bclass Double\b": "the new name",
}
"""Regular expression of a replaced word, and what to write instead."""

REPLACED_IN_TASKS = {r"\bscores\b": "logits", r"\bshares\b": "probabilities"}
"""The same for colour/, networks/ and tasks/, where these words would mean the output of a network."""

ALLOWED = [
    r"math\.floor|\.floor\(\)|torch\.floor",  # rounding down
    r"\bmatplotlib\.figure\b|\bFigure\b|\bfigure\s*[=.,:)]|pyplot\.figure|_save\(figure|keeps figures",  # of matplotlib
    r"\(CENG 483, figure \d\)|figures \d to \d|\bIn the figure\b|draws the figure",  # a figure with a number
    r"public\s+figures",  # people
    r"instead of ending",  # the verb
]
"""Phrases in which a word has another sense."""


def texts(repository: Path) -> Iterator[tuple[Path, str]]:
    for folder in ("src", "docs", "experiments", "examples"):
        for pattern in ("*.py", "*.md", "*.yaml"):
            for path in sorted((repository / folder).rglob(pattern)):
                yield path, path.read_text(encoding="utf-8")
    for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "Makefile"):
        yield repository / name, (repository / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("word", [*REPLACED, *REPLACED_IN_TASKS])
def test_replaced_word_is_not_used(word: str, repository: Path) -> None:
    found = []
    for path, text in texts(repository):
        if word in REPLACED_IN_TASKS and not {"colour", "networks", "tasks"} & set(path.parts):
            continue
        for phrase in ALLOWED:
            text = re.sub(phrase, lambda match: re.sub(r"[^\n]", "_", match[0]), text)
        for match in re.finditer(word, text, re.IGNORECASE | re.MULTILINE):
            line = text.count("\n", 0, match.start()) + 1
            found.append(f"{path.relative_to(repository)}:{line}: {match[0]!r}")
    instead = REPLACED.get(word) or REPLACED_IN_TASKS[word]
    assert not found, f"write {instead}:\n" + "\n".join(found)
