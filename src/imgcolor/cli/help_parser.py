"""The parser of LightningCLI's commands: shorter help, experiments of the package, and files that repeat a run."""

import re
import sys
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jsonargparse import ActionConfigFile, Namespace  # type: ignore[attr-defined]  # public, though not in its __all__
from lightning.pytorch.cli import LightningArgumentParser

from imgcolor.cli.options import find_packaged

_NOT_WRITTEN = "Unable to serialize instance"
"""What jsonargparse writes in place of a value that has no text."""


class ExperimentFile(ActionConfigFile):
    """The option ``--config``, which also finds the experiments of the package by ``experiments/...``."""

    def __call__(self, parser: Any, cfg: Any, values: Any, option_string: str | None = None) -> None:
        """Read a configuration."""
        super().__call__(
            parser,
            cfg,
            str(find_packaged(Path(values))) if isinstance(values, str) else values,
            option_string,
        )  # type: ignore[no-untyped-call]  # jsonargparse has no types here


class ShortHelpParser(LightningArgumentParser):
    """Lightning's parser with shorter help, in which of all known modules only imgcolor's networks are listed.

    Its option for configuration files is :class:`ExperimentFile`.
    """

    def add_argument(self, *args: Any, **kwargs: Any) -> Any:
        """Add an argument; see :meth:`argparse.ArgumentParser.add_argument`."""
        if kwargs.get("action") is ActionConfigFile:
            kwargs["action"] = ExperimentFile
        return super().add_argument(*args, **kwargs)

    def dump(self, namespace: Namespace, *args: Any, **kwargs: Any) -> str:
        """Return a configuration as YAML.

        For an argument that takes a function or its name, such as ``ModelPruning``'s, jsonargparse writes a message in
        place of the name.
        """
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", rf"\s*{_NOT_WRITTEN}")
            text: str = super().dump(namespace, *args, **kwargs)
        names = set(_strings(namespace.as_dict()))

        def restore(match: re.Match[str]) -> str:
            return match[1] if match[1] in names else match[0]

        return re.sub(rf"{_NOT_WRITTEN} (\w+)$", restore, text, flags=re.MULTILINE)

    def save(self, namespace: Namespace, path: Any, *args: Any, **kwargs: Any) -> None:
        """Write a configuration to a file, and name the arguments that cannot be written."""
        super().save(namespace, path, *args, **kwargs)
        lines = Path(path).read_text(encoding="utf-8").splitlines()
        missing = [line.partition(":")[0].strip(" -") for line in lines if _NOT_WRITTEN in line]
        if missing:
            print(
                f"{path}: expected values that can be written, found objects of Python as {', '.join(missing)}; to "
                "repeat the run with this file, give these arguments again",
                file=sys.stderr,
            )

    def format_help(self, *args: Any, **kwargs: Any) -> str:
        """Return the help text, in which a list of more than 12 subclasses has only imgcolor's networks."""

        def shorten(match: re.Match[str]) -> str:
            names = re.sub(r"\s", "", match[1]).split(",")
            if len(names) > 12:
                names = [name for name in names if name.startswith("imgcolor.networks.")]
            indent = "\n" + " " * 24
            return f",{indent}known subclasses: {f',{indent}'.join(names)})" if names else ")"

        text: str = super().format_help(*args, **kwargs)
        return re.sub(r",\s+known\s+subclasses:([^()]*)\)", shorten, text)


def _strings(value: Any) -> Iterator[str]:
    """Yield all texts in a configuration."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _strings(inner)
