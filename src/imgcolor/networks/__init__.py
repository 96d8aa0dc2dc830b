"""Networks: plain torch modules, one file each, without Lightning."""

from imgcolor.networks.chroma_unet import ChromaUNet
from imgcolor.networks.colour_cnn import ColourCNN
from imgcolor.networks.colour_unet import ColourUNet
from imgcolor.networks.conv_stack import ConvStack
from imgcolor.networks.edsr import EDSR
from imgcolor.networks.regression_cnn import RegressionCNN
from imgcolor.networks.residual_unet import ResidualUNet
from imgcolor.networks.residual_upscaler import ResidualUpscaler

__all__ = [
    "EDSR",
    "ChromaUNet",
    "ColourCNN",
    "ColourUNet",
    "ConvStack",
    "RegressionCNN",
    "ResidualUNet",
    "ResidualUpscaler",
]
