"""imgcolor: small image-to-image networks on PyTorch Lightning, for colourization and super-resolution."""

from importlib.metadata import version

__version__ = version("imgcolor")
