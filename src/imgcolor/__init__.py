"""imgcolor: small image-to-image networks on PyTorch Lightning, for colourization and super-resolution."""

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imgcolor.pipelines import Model as Model
    from imgcolor.pipelines import load as load

__version__ = version("imgcolor")


def __getattr__(name: str) -> Any:
    # Late: torch and Lightning take seconds to import, and `imgcolor --help` needs neither.
    if name in ("load", "Model"):
        from imgcolor import pipelines

        return getattr(pipelines, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
