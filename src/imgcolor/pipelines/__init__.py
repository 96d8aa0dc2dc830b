"""Trained networks for images of any size and kind."""

from imgcolor.pipelines.base import Model, Scale
from imgcolor.pipelines.loading import load

__all__ = ["Model", "Scale", "load"]
