"""imgcolor: small image-to-image networks for colourization and super-resolution, on PyTorch Lightning.

Names are imported on first use, so that ``imgcolor --help`` does not import torch, and trained models do not import
Lightning.
"""

from typing import TYPE_CHECKING, Any

from imgcolor.utils.lazy import lazy_exports

if TYPE_CHECKING:
    from imgcolor.pipelines import Colourizer, Upscaler, load

    __version__: str
else:
    _pipelines = lazy_exports(__name__, {"pipelines": ["Colourizer", "Upscaler", "load"]})

    def __getattr__(name: str) -> Any:
        if name == "__version__":
            from importlib.metadata import PackageNotFoundError, version

            try:
                return version("imgcolor")
            except PackageNotFoundError:  # run from the sources, without installation
                return "unknown"
        return _pipelines(name)


__all__ = ["Colourizer", "Upscaler", "__version__", "load"]
