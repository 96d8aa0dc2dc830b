"""LightningModules: a network, its loss and its metrics."""

from imgcolor.tasks.base import ColourTask
from imgcolor.tasks.classification import ColourClassification
from imgcolor.tasks.loading import load_task
from imgcolor.tasks.photo_colourization import PhotoColourization
from imgcolor.tasks.regression import ColourRegression

__all__ = ["ColourClassification", "ColourRegression", "ColourTask", "PhotoColourization", "load_task"]
