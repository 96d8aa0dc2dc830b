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
_EXPECTED_FOUND = re.compile(r"Expected an? (.+?)\. Got value: (.+)")
_CALLABLE = re.compile(r"Type \S*Callable.* expects a function or a callable class: (.+)")
_CALLABLE_CLASS = re.compile(r"Got value: Namespace\(class_path='([^']+)'")
_NESTED = re.compile(r"NestedArg\(key='([^']+)', val='?(.*?)'?\)")
_GIVEN = re.compile(r"Given value: (.+?)(?:\. Got value.*)?$", re.MULTILINE)
_REASON = re.compile(
    r"^.*(?:has no attribute|No module named|does not exist|not a subclass).*$", re.MULTILINE
)

# The sections of a configuration whose class is always the same.
_SECTIONS = {
    "trainer": "lightning.pytorch.Trainer",
    "checkpoint": "lightning.pytorch.callbacks.ModelCheckpoint",
    "images": "imgcolor.callbacks.ImageLogger",
    "predictions": "imgcolor.callbacks.PredictionWriter",
}


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
    callable_type = _CALLABLE.search(message)
    innermost = callable_type[1] if callable_type else message
    classes = _CALLABLE_CLASS.findall(innermost) or _CLASS.findall(message)
    option = _OPTION.search(message)
    reason = _REASON.search(innermost)
    pair = _EXPECTED_FOUND.search(innermost)
    given = _GIVEN.search(message)
    nested = _NESTED.search(message)
    if nested and not option:
        key = ".".join(dict.fromkeys([*keys, nested[1]]))
        line = f"{key}: cannot make {nested[2]!r} fit here{_network(nested[2])}"
        if not _config_files(arguments):
            line += "; give --config FILE first, such as experiments/quickstart.yaml"
    elif option:
        name = option[1] or option[2]
        owner = classes[-1] if classes else "the command"
        key = ".".join([*keys, name])
        line = f"{key}: {owner.rpartition('.')[2]} has no such option{_suggestion(name, owner)}"
    elif reason:
        line = _KEY.sub("", reason[0]).partition(". Got value")[0].strip(" :")
        line = f"{'.'.join(keys)}: {line}" if keys else line
    elif pair:
        line = f"{'.'.join(keys)}: expected {_plain_type(pair[1])}, found {pair[2]}"
    elif keys and given:
        line = f"{'.'.join(keys)}: expected {_expected(message[: given.start()])}, found {given[1]}"
    elif message.strip() == "Unexpected config:":
        line = "expected a configuration, found an empty file"
    else:
        line = message
        if "arguments are required" in message and "model" in message:
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
        words = _plain_type(alternative)
        if not words.startswith("dot import path"):
            alternatives.append(words.split(". ")[0])
    return " or ".join(dict.fromkeys(alternatives)) or "another value"


def _plain_type(text: str) -> str:
    text = re.sub(r"<class '(?:\w+\.)*(\w+)'>", r"\1", text)
    return re.sub(r"typing\.Literal\[(.*?)\]", r"one of \1", text)


def _network(name: str) -> str:
    """A network that the user may have meant."""
    networks = importlib.import_module("imgcolor.networks").__all__
    near = difflib.get_close_matches(name.rpartition(".")[2], networks, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _suggestion(name: str, owner: str) -> str:
    """Names that the user may have meant."""
    options = _options(owner, name)
    near = difflib.get_close_matches(name.rpartition(".")[2], options, n=1)
    near = near or difflib.get_close_matches(name.partition(".")[0], options, n=1)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; it has {', '.join(options)}" if options else ""


def _options(owner: str, name: str) -> list[str]:
    if owner == "the command":
        section = name.partition(".")[0]
        if section not in _SECTIONS:
            return ["seed_everything", "model", "data", *_SECTIONS]
        owner = _SECTIONS[section]
    module, _, cls = owner.rpartition(".")
    try:
        return list(inspect.signature(getattr(importlib.import_module(module), cls)).parameters)
    except (ImportError, AttributeError, ValueError, TypeError):
        return []


def _config_files(arguments: list[str]) -> str:
    files = []
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=True):
        if argument in ("--config", "-c"):
            files.append(following)
        elif argument.startswith("--config="):
            files.append(argument.partition("=")[2])
    return ", ".join(files)
