"""Pipelines: trained networks for photos of any size and kind, in plain torch.

Names are imported on first use, so that the command line can check files before torch is imported.
"""

from typing import TYPE_CHECKING

from imgcolor.utils.lazy import lazy_exports

if TYPE_CHECKING:
    from imgcolor.pipelines.base import Pipeline
    from imgcolor.pipelines.colourizer import Colourizer, Scale
    from imgcolor.pipelines.hints import Hint
    from imgcolor.pipelines.loading import load, make_pipeline
    from imgcolor.pipelines.photo import Photo
    from imgcolor.pipelines.photo_colourizer import PhotoColourizer
    from imgcolor.pipelines.upscaler import Upscaler
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "base": ["Pipeline"],
            "colourizer": ["Colourizer", "Scale"],
            "hints": ["Hint"],
            "loading": ["load", "make_pipeline"],
            "photo": ["Photo"],
            "photo_colourizer": ["PhotoColourizer"],
            "upscaler": ["Upscaler"],
        },
    )

__all__ = [
    "Colourizer",
    "Hint",
    "Photo",
    "PhotoColourizer",
    "Pipeline",
    "Scale",
    "Upscaler",
    "load",
    "make_pipeline",
]
