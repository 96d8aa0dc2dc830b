"""Use a metric and the stopping rule of imgcolor with your own LightningModule.

python examples/other_module.py
"""

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from imgcolor.callbacks import EpsilonPatience
from imgcolor.metrics import MarginAccuracy


class Denoiser(LightningModule):
    """Remove noise from images. This class stands for your own LightningModule."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Conv2d(3, 3, 3, padding=1)
        self.margin12 = MarginAccuracy(12)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        """Compute the loss of a batch of clean images."""
        (clean,) = batch
        return nn.functional.mse_loss(self.network(clean + 0.1 * torch.randn_like(clean)), clean)

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        """Log the loss, which the stopping rule monitors, and the metric."""
        (clean,) = batch
        restored = self.network(clean)
        self.log("val/loss", nn.functional.mse_loss(restored, clean))
        self.margin12.update(restored.clamp(0, 1), clean)  # metrics take images in [0, 1]
        self.log("val/margin12", self.margin12)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Use stochastic gradient descent."""
        return torch.optim.SGD(self.parameters(), lr=0.1)


if __name__ == "__main__":
    images = torch.rand(64, 3, 16, 16)
    loader = DataLoader(TensorDataset(images), batch_size=16)
    stopping = EpsilonPatience(epsilon=0.002, patience=2)
    options = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False}
    trainer = Trainer(max_epochs=100, callbacks=[stopping], **options)
    trainer.fit(Denoiser(), loader, loader)
    print(f"stopped after {trainer.current_epoch} epochs, restored epoch {stopping.chosen_epoch}")
    print({name: round(float(value), 4) for name, value in trainer.callback_metrics.items()})
