"""Errors of LightningCLI's arguments in one line: the key, what was expected, what was found, what to do.

jsonargparse reports a bad value with the whole tree of types that it has tried. The functions here pick the
innermost key and the alternatives for its value from that text. Other messages are passed on.
"""

import contextlib
import difflib
import importlib
import re
from argparse import ArgumentError
from collections.abc import Sequence

_KEY = re.compile(r"[Pp]arser key \"([^\"]+)\"")
_UNKNOWN_OPTION = re.compile(r"[Oo]ption '([^']+)' is not accepted|does not accept option '([^']+)'")
_EXPECTED = re.compile(r"Expected an? (.+)")
_EXPECTED_FOUND = re.compile(r"Expected an? (.+?)\. Got value: (.+)")
_CALLABLE = re.compile(r"Type \S*Callable.* expects a function or a callable class: (.+)")
_CALLABLE_CLASS = re.compile(r"Got value: Namespace\(class_path='([^']+)'")
_NESTED = re.compile(r"NestedArg\(key='([^']+)', val='?(.*?)'?\)")
_GIVEN = re.compile(r"Given value: (.+?)(?:\. Got value.*)?$", re.MULTILINE)
_MISSING = re.compile(r"class_path '([^']+)':\s+the following arguments are required: (.+)")
_REASON = re.compile(r"^.*(?:has no attribute|does not exist|not a subclass).*$", re.MULTILINE)
_NO_CLASS = re.compile(r"module '([\w.]+)' has no attribute '(\w+)'")
_NO_MODULE = re.compile(r"No module named '([\w.]+)'")
_NO_SUBCLASS = re.compile(r"Import path (\S+) does not correspond to a subclass of (\w+)")
_NO_CLASS_NAME = re.compile(r"Expected a dot import path string: (\S+)")
_REFUSING_CLASS = re.compile(r"class_path '([^']+)':\s+Option")
_UNRECOGNIZED = re.compile(r"unrecognized arguments: --([\w.]+)")
_TYPE_NAME = re.compile(r"[a-z]\w*(?:\.\w+)+")

_SECTIONS = {
    "trainer": "lightning.pytorch.Trainer",
    "checkpoint": "lightning.pytorch.callbacks.ModelCheckpoint",
    "images": "imgcolor.callbacks.ImageLogger",
    "predictions": "imgcolor.callbacks.PredictionWriter",
}
"""The sections of a configuration whose class is fixed."""

_GIVE_CONFIG = "give --config FILE, such as experiments/quickstart.yaml"


def usage_error(error: ArgumentError, arguments: list[str]) -> str:
    """Describe in one line what is wrong with the arguments or the configuration of a command.

    Args:
        error: The error of jsonargparse.
        arguments: The command and its options, which name the configuration files.

    Returns:
        One line.
    """
    files = _config_files(arguments)
    line = _describe(error.message, has_config=bool(files))
    return " ".join(f"{line}{f' (configuration: {files})' if files else ''}".split())


def _describe(message: str, *, has_config: bool) -> str:
    keys = _keys(message)
    nested = _NESTED.findall(message)
    if nested:  # an option such as --model.network.depth: its key is relative to the first one
        keys = max(keys, [*keys[:1], *nested[-1][0].split(".")], key=len)
    path = ".".join(keys)
    callable_type = _CALLABLE.search(message)
    innermost = callable_type[1] if callable_type else message
    option = _UNKNOWN_OPTION.search(message)
    given = _GIVEN.search(message)
    if option:
        name = option[1] or option[2]
        classes = _CALLABLE_CLASS.findall(innermost) or _REFUSING_CLASS.findall(message)
        owner = classes[0] if classes else "the command"
        path = path if nested else ".".join([*keys, name])
        return f"{path}: {owner.rpartition('.')[2]} has no such option{_suggestion(name, owner)}"
    if unrecognized := _UNRECOGNIZED.search(message):
        return f"{unrecognized[1]}: no such option{_suggestion(unrecognized[1], 'the command')}"
    if fault := _class_fault(message, path):
        return f"{path}: {fault}"
    if reason := _REASON.search(innermost):
        text = _KEY.sub("", reason[0]).partition(". Got value")[0].strip(" :")
        return f"{path}: {text}" if keys else text
    if missing := _MISSING.search(innermost):
        hint = f"give --{path}.{missing[2].split(',')[0]}" if has_config else _GIVE_CONFIG
        return f"{path}: {missing[1].rpartition('.')[2]} requires {missing[2]}, found none; {hint}"
    if pair := _EXPECTED_FOUND.search(innermost) or _EXPECTED_FOUND.search(message):
        return f"{path}: expected {_plain_type(pair[1])}, found {pair[2].partition('. Got value')[0]}"
    if keys and given and not given[1].startswith("NestedArg"):
        return f"{path}: expected {_alternatives(message[: given.start()])}, found {given[1]}"
    if nested:
        hint = "" if has_config else f"; {_GIVE_CONFIG}"
        return f"{path}: cannot use {nested[-1][1]!r} here{hint}"
    if message.strip() == "Unexpected config:":
        return "expected a configuration, found an empty file"
    if "arguments are required" in message:
        return f"{message}; {_GIVE_CONFIG}, or `--help`"
    return message


def _class_fault(message: str, path: str) -> str | None:
    """Describe why a value does not name a class that fits; None if that is not the fault."""
    if found := _NO_CLASS.search(message):
        module, name = found.groups()
        names = [n for n, value in vars(importlib.import_module(module)).items() if isinstance(value, type)]
        names += getattr(importlib.import_module(module), "__all__", [])
        return f"module {module!r} has no class {name!r}{_did_you_mean(name, names)}"
    if found := _NO_MODULE.search(message):
        return f"no module named {found[1]!r}, neither in the current folder nor among the installed packages"
    if found := _NO_SUBCLASS.search(message):
        return f"expected a subclass of {found[2]}, found {found[1]}, which is none"
    found = _NO_CLASS_NAME.search(message)
    types = message[message.rfind("Subtypes:", 0, found.start()) : found.start()] if found else ""
    types = types.partition("\n")[0]
    if found is None or re.search(r"'(?:int|float|str)'", types):
        return None
    names = _class_names(path, types)
    return f"expected the name of a class, found {found[1]!r}{_did_you_mean(found[1], names)}"


def _class_names(path: str, types: str) -> list[str]:
    """Return the names of the classes that an option takes: known ones, or subclasses of the types of a message."""
    if path.endswith("network"):
        return list(importlib.import_module("imgcolor.networks").__all__)
    if path.endswith("optimizer"):
        types = "torch.optim.Optimizer"
    names = []
    for type_name in _TYPE_NAME.findall(types):
        module, _, name = type_name.rpartition(".")
        with contextlib.suppress(ImportError):
            base = getattr(importlib.import_module(module), name, None)
            todo = [base] if isinstance(base, type) else []
            while todo:
                known = todo.pop()
                names += [] if known.__name__.startswith("_") else [known.__name__]
                todo += known.__subclasses__()
    return names


def _did_you_mean(name: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _keys(message: str) -> list[str]:
    """Return the parts of the key from the outside in, such as model, network, base_channels."""
    return list(dict.fromkeys(_KEY.findall(message)))


def _alternatives(message: str) -> str:
    """Return the types that the innermost value may have."""
    alternatives = []
    # The text after the last list of subtypes is about the innermost union.
    for alternative in _EXPECTED.findall(message[message.rfind("Subtypes:") :]) or _EXPECTED.findall(message):
        text = _plain_type(alternative)
        if not text.startswith("dot import path"):
            alternatives.append(text.split(". ")[0])
    return " or ".join(dict.fromkeys(alternatives)).replace("NoneType", "null") or "another value"


def _plain_type(text: str) -> str:
    text = re.sub(r"<class '(?:\w+\.)*(\w+)'>", r"\1", text)
    return re.sub(r"typing\.Literal\[(.*?)\]", r"one of \1", text)


def _suggestion(name: str, owner: str) -> str:
    """Return the option that is similar to an unknown one, or all options."""
    options = _options(owner, name)
    near = difflib.get_close_matches(name.rpartition(".")[2], options, n=1)
    near = near or difflib.get_close_matches(name.partition(".")[0], options, n=1)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; it has {', '.join(options)}" if options else ""


def _options(owner: str, name: str) -> list[str]:
    from imgcolor.checkpoints.signatures import (
        init_parameters,  # imports torch, which other messages do not need
    )

    if owner == "the command":
        section = name.partition(".")[0]
        if section not in _SECTIONS:
            return ["seed_everything", "model", "data", *_SECTIONS]
        owner = _SECTIONS[section]
    module, _, cls = owner.rpartition(".")
    try:
        names = init_parameters(getattr(importlib.import_module(module), cls))
        return [name for name in names if not name.startswith("*")]
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
