"""The parser of LightningCLI's commands: shorter help, and experiments that come with the package."""

import re
from pathlib import Path
from typing import Any

from jsonargparse import ActionConfigFile  # type: ignore[attr-defined]  # public, though not in its __all__
from lightning.pytorch.cli import LightningArgumentParser

from imgcolor.cli.options import find_packaged


class ExperimentFile(ActionConfigFile):
    """The option ``--config``, which also finds the experiments of the package by ``experiments/...``."""

    def __call__(self, parser: Any, cfg: Any, values: Any, option_string: str | None = None) -> None:
        """Read a configuration."""
        super().__call__(
            parser, cfg, find_packaged(Path(values)) if isinstance(values, str) else values, option_string
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
