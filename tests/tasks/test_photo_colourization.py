from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer

from imgcolor.colour import chroma_of, luma_of
from imgcolor.data import Batch, FaceColourizationDataModule
from imgcolor.networks import ChromaUNet, ColourUNet
from imgcolor.tasks import PhotoColourization, load_task
from imgcolor.tasks.photo_colourization import sample_hints
from imgcolor.utils.errors import ImgcolorError


def small_network() -> ChromaUNet:
    torch.manual_seed(0)
    return ChromaUNet((8, 16, 20), (1, 1, 1), (1, 1), attention_blocks=1, heads=2)


def batch(count: int = 2, size: int = 32) -> Batch:
    original = torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0))
    return Batch(luma_of(original), original)


def test_loss_is_zero_for_the_true_chroma_and_grows_with_the_error() -> None:
    task, original = PhotoColourization(small_network()), batch().original
    target = task.coding.target(original)
    assert task.loss(target, original).item() == pytest.approx(0, abs=0.02)
    assert task.loss(target + 0.1, original) > task.loss(target + 0.05, original) > 0.1


def test_mse_is_that_of_rgb() -> None:
    task, original = PhotoColourization(small_network(), criterion="mse", reduction=1), batch().original
    error = torch.tensor([0.02, -0.01]).view(1, 2, 1, 1)
    # One unit of Cb changes B by 1.772 and G by -0.344136; one of Cr changes R by 1.402 and G by -0.714136.
    squares = (1.402 * -0.01) ** 2 + (0.344136 * 0.02 + 0.714136 * -0.01) ** 2 + (1.772 * 0.02) ** 2
    found = task.loss(chroma_of(original) + error, original).item()
    assert found == pytest.approx(squares / 3 / 0.0094, rel=1e-3)


def test_hints_are_the_true_chroma_at_some_places_of_some_images() -> None:
    torch.manual_seed(0)
    chroma = torch.rand(500, 2, 16, 16) - 0.5
    hints = sample_hints(chroma, fraction=0.4)
    known, mask = hints[:, :2], hints[:, 2:]
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    assert (known[(mask == 0).expand_as(known)] == 0).all()
    difference = (known - chroma)[(mask == 1).expand_as(known)]
    assert difference.abs().max() < 0.06
    numbers = mask.sum(dim=(1, 2, 3))
    assert 0.3 < (numbers > 0).float().mean() < 0.45
    assert 6 < numbers[numbers > 0].mean() < 11
    assert not sample_hints(chroma, fraction=0).any()


def test_a_fit_lowers_the_loss_and_its_checkpoint_stands_alone(tmp_path: Path) -> None:
    data = FaceColourizationDataModule(source="synthetic", train_images=16, val_images=4, batch_size=8)
    task = PhotoColourization(small_network(), working_sizes=(32, 48), saturation=1.5)
    trainer = Trainer(
        max_epochs=3,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        default_root_dir=tmp_path,
    )
    trainer.fit(task, data)
    assert {"train/loss", "val/loss", "val/psnr", "val/margin12"} <= trainer.callback_metrics.keys()
    trainer.save_checkpoint(tmp_path / "photo.ckpt")
    loaded = load_task(tmp_path / "photo.ckpt")
    assert (loaded.coding.working_sizes, loaded.coding.saturation) == ((32, 48), 1.5)
    grey = batch().degraded
    assert torch.equal(loaded(grey), task.eval()(grey))
    assert torch.allclose(luma_of(loaded(grey)), grey, atol=1e-5)


def test_a_network_without_reduction_is_refused() -> None:
    task = PhotoColourization(small_network())
    output = ColourUNet(out_channels=2, base_channels=4)(batch().degraded)
    with pytest.raises(ImgcolorError, match=r"expected chroma of the shape \[2, 8, 8\]"):
        task.check_output_size(output, batch().original)


@pytest.mark.parametrize(
    "options", [{"criterion": "l3"}, {"hint_fraction": 1.5}, {"working_sizes": ()}, {"reduction": 0}]
)
def test_arguments_out_of_range_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        PhotoColourization(small_network(), **options)  # type: ignore[arg-type]
