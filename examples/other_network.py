"""Use the data and tasks of imgcolor with your own network, here three convolutions.

python examples/other_network.py
"""

from lightning.pytorch import Trainer
from torch import Tensor, nn

from imgcolor.data import FaceColourizationDataModule
from imgcolor.tasks import ColourRegression


class AddColour(nn.Module):
    """Add the output of three convolutions to the grey image: float [B, 1, H, W] to [B, 3, H, W]."""

    def __init__(self, channels: int = 8) -> None:
        super().__init__()
        self.channels = channels  # checkpoints read the arguments from attributes of the same names
        self.layers = nn.Sequential(
            nn.Conv2d(1, channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, 3, 3, padding=1),
        )

    def forward(self, grey: Tensor) -> Tensor:
        """Colour a batch of grey images."""
        return grey + self.layers(grey)


if __name__ == "__main__":
    # Drawn faces; for your own images: source="folder", root="..."
    faces = FaceColourizationDataModule(source="synthetic", train_images=200, val_images=50, size=40)
    task = ColourRegression(AddColour())
    trainer = Trainer(max_epochs=2, enable_progress_bar=False, enable_model_summary=False, logger=False)
    trainer.fit(task, faces)
    print({name: round(float(value), 4) for name, value in trainer.callback_metrics.items()})
