"""Help texts of LightningCLI's commands."""

import re
from typing import Any

from lightning.pytorch.cli import LightningArgumentParser


class ShortHelpParser(LightningArgumentParser):
    """Lightning's parser with shorter help: of all known modules only imgcolor's networks are listed."""

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
