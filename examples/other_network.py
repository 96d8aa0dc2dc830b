"""imgcolor's data and task with a network of your own: here three convolutions that add colour to the grey.

python examples/other_network.py
"""

from lightning.pytorch import Trainer
from torch import Tensor, nn

from imgcolor.data import FaceColourizationDataModule
from imgcolor.tasks import ColourRegression


class AddColour(nn.Module):
    """Adds what three convolutions find to the grey: float [B, 1, H, W] to [B, 3, H, W]."""

    def __init__(self, channels: int = 8) -> None:
        super().__init__()
        self.channels = channels  # arguments kept by their names make a checkpoint stand alone
        self.layers = nn.Sequential(
            nn.Conv2d(1, channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, 3, 3, padding=1),
        )

    def forward(self, grey: Tensor) -> Tensor:
        """Colour a batch."""
        return grey + self.layers(grey)


if __name__ == "__main__":
    faces = FaceColourizationDataModule(
        train_images=200, val_images=50, size=40
    )  # drawn; source="folder", root=... for yours
    task = ColourRegression(AddColour())
    trainer = Trainer(max_epochs=2, enable_progress_bar=False, enable_model_summary=False, logger=False)
    trainer.fit(task, faces)
    print({name: round(float(value), 4) for name, value in trainer.callback_metrics.items()})
