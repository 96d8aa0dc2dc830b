"""jsonargparse's nested messages as one line: which key, what was expected, what was found, the way out."""

import difflib
import importlib
import inspect
import re
from argparse import ArgumentError

_KEY = re.compile(r"[Pp]arser key \"([^\"]+)\"")
_CLASS = re.compile(r"class_path '([^']+)'")
_OPTION = re.compile(r"[Oo]ption '([^']+)' is not accepted|does not accept option '([^']+)'")
_EXPECTED = re.compile(r"Expected an? (.+)")
_GIVEN = re.compile(r"Given value: (.+?)(?:\. Got value.*)?$", re.MULTILINE)
_REASON = re.compile(
    r"^.*(?:has no attribute|No module named|does not exist|not a subclass).*$", re.MULTILINE
)


def usage_error(error: ArgumentError, arguments: list[str]) -> str:
    """Say in one line what is wrong with a command's words or configuration.

    Args:
        error: What jsonargparse raised.
        arguments: The command and its options, where the names of the configuration files stand.

    Returns:
        One line.
    """
    message = error.message
    keys = _keys(message)
    classes = _CLASS.findall(message)
    option = _OPTION.search(message)
    reason = _REASON.search(message)
    given = _GIVEN.search(message)
    if option:
        name = option[1] or option[2]
        owner = classes[-1] if classes else "the command"
        key = ".".join([*keys, name])
        line = f"{key}: {owner.rpartition('.')[2]} has no such option{_suggestion(name, owner)}"
    elif reason:
        line = _KEY.sub("", reason[0]).strip(" :")
        line = f"{'.'.join(keys)}: {line}" if keys else line
    elif keys and given:
        expected = _expected(message[: given.start()])
        line = f"{'.'.join(keys)}: expected {expected}, found {given[1]}"
    else:
        line = message
        if "arguments are required" in message:
            line += "; give --config FILE, such as experiments/quickstart.yaml, or `--help`"
    files = _config_files(arguments)
    return " ".join(f"{line}{f' (configuration: {files})' if files else ''}".split())


def _keys(message: str) -> list[str]:
    """The key's path from the outside in, such as model, network, filters."""
    keys: list[str] = []
    for key in _KEY.findall(message):
        if key not in keys:
            keys.append(key)
    return keys


def _expected(message: str) -> str:
    """The alternatives for the innermost value, in plain words."""
    alternatives = []
    # Only the block of the innermost union: what stands before its last list of subtypes belongs further out.
    for alternative in _EXPECTED.findall(message[message.rfind("Subtypes:") :]) or _EXPECTED.findall(message):
        words = re.sub(r"<class '(?:\w+\.)*(\w+)'>", r"\1", alternative)
        words = re.sub(r"typing\.Literal\[(.*?)\]", r"one of \1", words)
        if not words.startswith("dot import path"):
            alternatives.append(words.split(". ")[0])
    return " or ".join(dict.fromkeys(alternatives)) or "another value"


def _suggestion(name: str, owner: str) -> str:
    """Names that the user may have meant."""
    options = _options(owner, name)
    parts = name.split(".")
    near = difflib.get_close_matches(parts[-1], options, n=1) or difflib.get_close_matches(
        parts[0], options, n=1
    )
    if near:
        return f"; did you mean {near[0]}?"
    return f"; it has {', '.join(options)}" if options else ""


def _options(owner: str, name: str) -> list[str]:
    if owner == "the command":
        if not name.startswith("trainer."):
            return ["seed_everything", "model", "data", "trainer", "checkpoint", "images", "predictions"]
        owner = "lightning.pytorch.Trainer"
    module, _, cls = owner.rpartition(".")
    try:
        return list(inspect.signature(getattr(importlib.import_module(module), cls)).parameters)
    except (ImportError, AttributeError, ValueError, TypeError):
        return []


def _config_files(arguments: list[str]) -> str:
    files = []
    for word, following in zip(arguments, [*arguments[1:], ""], strict=True):
        if word in ("--config", "-c"):
            files.append(following)
        elif word.startswith("--config="):
            files.append(word.partition("=")[2])
    return ", ".join(files)
