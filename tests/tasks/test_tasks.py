from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from lightning.pytorch import Callback, LightningDataModule, Trainer
from lightning.pytorch.callbacks import EMAWeightAveraging
from skimage.color import rgb2lab
from skimage.metrics import peak_signal_noise_ratio
from torch import Tensor, nn
from torch.utils.data import DataLoader

from imgcolor.baselines import GreyLookup
from imgcolor.callbacks import BaselineMetrics, DetailedMetrics, MetricsFiles
from imgcolor.colour import Palette, from_signed, rgb_to_lab, to_signed
from imgcolor.data import Batch, HorseColourizationDataModule, HorseSuperResolutionDataModule, ImageSet
from imgcolor.networks import ColourUNet, RegressionCNN, ResidualUNet
from imgcolor.tasks import ColourClassification, ColourRegression, ColourTask, load_task
from imgcolor.utils.errors import DivergedError, ImgcolorError

BLACK_RED_WHITE = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 1]])


class Fixed(nn.Module):
    """A network whose output is constant apart from a learned scale."""

    def __init__(self, output: Tensor) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.output = output

    def forward(self, degraded: Tensor) -> Tensor:
        return (self.scale * self.output).expand(len(degraded), *self.output.shape)


def trainer(folder: Path, **options: Any) -> Trainer:
    return Trainer(
        default_root_dir=folder,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )


def data(**options: Any) -> HorseColourizationDataModule:
    return HorseColourizationDataModule(
        train_images=24, val_images=10, batch_size=10, eval_batch_size=4, **options
    )


@pytest.mark.parametrize(
    ("criterion", "expected"), [("mse", 0.25 * 4), ("l1", 0.25 * 2), ("huber", 0.25 * 1.5)]
)
def test_regression_losses_by_hand(criterion: Any, expected: float) -> None:
    output = torch.zeros(1, 3, 2, 2)
    original = torch.zeros(1, 3, 2, 2)
    output[..., 0, 0] = 2  # one pixel of four is off by 2: 4 squared, 2 absolute, 2 - 1/2 by Huber
    loss = ColourRegression(RegressionCNN(2), criterion).loss(output, original)
    assert loss.item() == pytest.approx(expected)


def test_validation_metrics_equal_independent_ones(tmp_path: Path) -> None:
    """The last batch is smaller, and the images are clamped."""
    output = torch.rand(3, 32, 32) * 1.4 - 0.2  # some of it outside [0, 1]
    task = ColourRegression(Fixed(output))
    datamodule = data()
    (found,) = trainer(tmp_path).validate(task, datamodule, verbose=False)
    truth = datamodule.images("val").pixels.numpy().astype(np.float64) / 255
    guess = np.broadcast_to(output.clamp(0, 1).numpy().astype(np.float64), truth.shape)
    assert found["val/mse"] == pytest.approx(((guess - truth) ** 2).mean(), rel=1e-5)
    assert found["val/psnr"] == pytest.approx(peak_signal_noise_ratio(truth, guess, data_range=1), rel=1e-5)
    near = np.abs(np.rint(guess * 255) - np.rint(truth * 255)) < 12
    assert found["val/margin12"] == pytest.approx(near.mean(), abs=1e-6)
    raw = np.broadcast_to(output.numpy(), truth.shape)
    assert found["val/loss"] == pytest.approx(((raw - truth) ** 2).mean(), rel=1e-5)


@pytest.mark.parametrize(("limit", "seen"), [({"max_epochs": 2}, 24), ({"max_steps": 2}, 20)])
def test_training_metrics_are_means_over_all_images_of_the_epoch(
    limit: dict[str, int], seen: int, tmp_path: Path
) -> None:
    still = partial(torch.optim.SGD, lr=0.0)  # the weights stay, so the epoch can be counted again
    network = Fixed(torch.rand(3, 32, 32))
    task, module = ColourRegression(network, optimizer=still), data(shuffle=False)
    fitted = trainer(tmp_path, **limit)
    fitted.fit(task, module)
    images = module.images("train").pixels[:seen].double() / 255
    errors = (network.output.double() - images).square().mean(dim=(1, 2, 3))
    for name in ("train/loss", "train/mse"):
        assert float(fitted.callback_metrics[name]) == pytest.approx(float(errors.mean()), rel=1e-5)


def test_accuracy_is_the_proportion_of_nearest_colours(tmp_path: Path) -> None:
    logits = torch.randn(3, 32, 32)
    colours = torch.tensor(
        [[0.11, 0.23, 0.15], [0.72, 0.19, 0.31], [0.93, 0.84, 0.79]]
    )  # no pixel between two
    task = ColourClassification(Fixed(logits), palette=Palette.from_colours(colours))
    datamodule = data()
    (found,) = trainer(tmp_path).validate(task, datamodule, verbose=False)
    pixels = datamodule.images("val").pixels.numpy().transpose(0, 2, 3, 1) / 255
    nearest = np.linalg.norm(pixels[..., None, :] - colours.numpy(), axis=-1).argmin(-1)
    assert found["val/accuracy"] == pytest.approx((nearest == logits.argmax(0).numpy()).mean(), abs=1e-6)
    log_probabilities = logits.log_softmax(0).numpy()
    expected = -np.mean([np.take_along_axis(log_probabilities, image[None], 0) for image in nearest])
    assert found["val/loss"] == pytest.approx(expected, rel=1e-5)


def test_label_smoothing_and_rebalancing_by_hand() -> None:
    palette = Palette.from_colours(BLACK_RED_WHITE)
    original = palette.lookup(torch.tensor([[[0, 1]]]))  # a black and a red pixel
    logits = torch.randn(1, 3, 1, 2)
    logs = logits.log_softmax(1)
    smooth = ColourClassification(nn.Identity(), palette, label_smoothing=0.3)
    expected = -sum(
        0.7 * logs[0, target, 0, pixel] + 0.1 * logs[0, :, 0, pixel].sum()
        for pixel, target in ((0, 0), (1, 1))
    )
    torch.testing.assert_close(smooth.loss(logits, original), expected / 2)
    weighted = ColourClassification(nn.Identity(), palette, rebalancing=0.5)
    weighted.class_weights.copy_(torch.tensor([0.5, 3.0, 1.0]))
    expected = -(0.5 * logs[0, 0, 0, 0] + 3.0 * logs[0, 1, 0, 1]) / 2
    torch.testing.assert_close(weighted.loss(logits, original), expected)


def test_rebalancing_weights_follow_the_papers_formula(tmp_path: Path) -> None:
    datamodule = data()
    task = ColourClassification(ColourUNet(6, 2), palette=6, rebalancing=0.5)
    trainer(tmp_path, max_epochs=1, limit_train_batches=1, limit_val_batches=1).fit(task, datamodule)
    encoded = task.palette.encode(datamodule.images("train").pixels / 255)
    frequencies = np.bincount(encoded.flatten().numpy(), minlength=6) / encoded.numel()
    expected = 1 / (0.5 * frequencies + 0.5 / 6)
    expected /= (frequencies * expected).sum()
    np.testing.assert_allclose(task.class_weights.numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize("kind", [ColourRegression, ColourClassification])
def test_images_are_in_the_unit_range_and_include_the_original(
    kind: type[ColourTask], tmp_path: Path
) -> None:
    datamodule = data()
    batch = datamodule.batch(datamodule.images("val").pixels[:4])
    if kind is ColourRegression:
        task: ColourTask = ColourRegression(ColourUNet(3, 2))
        names = ["input", "prediction", "target"]
    else:
        task = ColourClassification(ColourUNet(3, 2), Palette.from_colours(BLACK_RED_WHITE))
        names = ["input", "prediction", "target in palette", "target"]
    images = task.visualize(batch)
    assert list(images) == names
    assert all(image.min() >= 0 and image.max() <= 1 for image in images.values())
    assert torch.equal(images["target"], batch.original)
    assert torch.equal(images["input"], batch.degraded)


def test_black_white_and_constant_images_give_no_nan() -> None:
    originals = torch.cat([torch.full((1, 3, 8, 8), value) for value in (0.0, 0.5, 1.0)])
    batch = Batch(originals.mean(1, keepdim=True), originals)
    palette = Palette.from_colours(BLACK_RED_WHITE)
    for task in (ColourRegression(ColourUNet(3, 2)), ColourClassification(ColourUNet(3, 2), palette)):
        loss = task.loss(task.network(batch.degraded), batch.original)
        loss.backward()
        assert loss.isfinite()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in task.network.parameters())


def test_signed_range_applies_to_network_and_loss_only(tmp_path: Path) -> None:
    """Input, output and loss are in [-1, 1], metrics in [0, 1]."""
    seen = []

    class Watching(Fixed):
        def forward(self, degraded: Tensor) -> Tensor:
            seen.append(degraded)
            return super().forward(degraded)

    output = torch.rand(3, 32, 32) * 2.4 - 1.2
    task = ColourRegression(Watching(output), value_range="signed")
    datamodule = data()
    (found,) = trainer(tmp_path).validate(task, datamodule, verbose=False)
    truth = datamodule.images("val").pixels.numpy().astype(np.float64) / 255
    assert found["val/loss"] == pytest.approx(((output.numpy() - (2 * truth - 1)) ** 2).mean(), rel=1e-5)
    image = (output.clamp(-1, 1).numpy() + 1) / 2
    assert found["val/mse"] == pytest.approx(((image - truth) ** 2).mean(), rel=1e-5)
    torch.testing.assert_close(
        seen[0], 2 * datamodule.batch(datamodule.images("val").pixels[:4]).degraded - 1
    )


def test_ranges_are_inverse() -> None:
    images = torch.rand(2, 3, 4, 4)
    torch.testing.assert_close(from_signed(to_signed(images)), images)
    assert to_signed(torch.tensor([0.0, 0.5, 1.0])).tolist() == [-1, 0, 1]


def test_divergence_message_has_epoch_and_learning_rate(tmp_path: Path) -> None:
    task = ColourRegression(RegressionCNN(2), optimizer=partial(torch.optim.SGD, lr=1e30))
    with pytest.raises(
        DivergedError, match=r"epoch 0, step \d+ .*last finite one was .*learning rate \(now 1e\+30\)"
    ):
        trainer(tmp_path, max_epochs=2).fit(task, data())


def test_super_resolution_images_show_the_interpolations() -> None:
    datamodule = HorseSuperResolutionDataModule(train_images=4, val_images=4)
    batch = datamodule.batch(datamodule.images("val").pixels)
    assert batch.degraded.shape == (4, 3, 8, 8)
    for task, names in (
        (
            ColourRegression(ColourUNet(3, 2, in_channels=3, scale_factor=4)),
            ["input", "target", "prediction", "bilinear", "bicubic"],
        ),
        (
            ColourClassification(
                ColourUNet(3, 2, in_channels=3, scale_factor=4), Palette.from_colours(BLACK_RED_WHITE)
            ),
            ["input", "target in palette", "target", "prediction", "bilinear", "bicubic"],
        ),
    ):
        images = task.visualize(batch)
        assert list(images) == names
        assert all(images[name].shape[-2:] == (32, 32) for name in names[1:])


@pytest.mark.parametrize(("factor", "upscale"), [(2, 4), (4, 2), (8, 1)])
def test_scale_factors_of_data_and_network_must_be_equal(factor: int, upscale: int, tmp_path: Path) -> None:
    task = ColourRegression(ColourUNet(3, 2, in_channels=3, scale_factor=upscale))
    with pytest.raises(ImgcolorError, match="set the network's scale_factor to the data's"):
        trainer(tmp_path).validate(
            task, HorseSuperResolutionDataModule(factor, train_images=4, val_images=4), verbose=False
        )


@pytest.mark.parametrize(("factor", "size"), [(2, 32), (4, 48), (8, 64)])
def test_other_scale_factors_and_sizes(factor: int, size: int, tmp_path: Path) -> None:
    task = ColourRegression(ColourUNet(3, 2, in_channels=3, scale_factor=factor))
    datamodule = HorseSuperResolutionDataModule(factor, size=size, train_images=4, val_images=4)
    (found,) = trainer(tmp_path).validate(task, datamodule, verbose=False)
    assert np.isfinite(found["val/psnr"])


def test_default_optimizer_is_adam_at_one_thousandth() -> None:
    optimizer = ColourRegression(RegressionCNN(2)).configure_optimizers()
    assert type(optimizer) is torch.optim.Adam
    assert optimizer.param_groups[0]["lr"] == 1e-3


def test_optimizer_and_scheduler_are_those_given(tmp_path: Path) -> None:
    task = ColourRegression(
        RegressionCNN(2),
        optimizer=partial(torch.optim.SGD, lr=0.1),
        lr_scheduler=partial(torch.optim.lr_scheduler.StepLR, step_size=1, gamma=0.5),
    )
    runner = trainer(tmp_path, max_epochs=2)
    runner.fit(task, data())
    (optimizer,) = runner.optimizers
    assert type(optimizer) is torch.optim.SGD
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1 / 4)


def test_plateau_scheduler_monitors_the_validation_loss(tmp_path: Path) -> None:
    task = ColourRegression(
        Fixed(torch.zeros(3, 32, 32)),  # its loss never falls
        lr_scheduler=partial(torch.optim.lr_scheduler.ReduceLROnPlateau, patience=0, factor=0.1),
    )
    runner = trainer(tmp_path, max_epochs=3)
    runner.fit(task, data())
    assert runner.optimizers[0].param_groups[0]["lr"] == pytest.approx(1e-5)


def test_palette_is_fitted_to_the_training_images(tmp_path: Path) -> None:
    datamodule = data()
    task = ColourClassification(ColourUNet(5, 2), palette=5)
    assert not task.palette.is_fitted
    trainer(tmp_path, max_epochs=1, limit_val_batches=0).fit(task, datamodule)
    assert torch.equal(
        task.palette.colours, Palette.from_images(datamodule.images("train").pixels, 5).colours
    )


def test_validation_with_a_palette_that_is_not_fitted(tmp_path: Path) -> None:
    task = ColourClassification(ColourUNet(5, 2), palette=5)
    with pytest.raises(ImgcolorError, match="nothing was trained yet"):
        trainer(tmp_path).validate(task, data(), verbose=False)


@pytest.mark.parametrize("options", [{"label_smoothing": 1.0}, {"rebalancing": 0.0}])
def test_proportions_out_of_range(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected a fraction"):
        ColourClassification(ColourUNet(3, 2), palette=3, **options)  # type: ignore[arg-type]


def test_learns_a_colour_that_depends_on_the_grey(tmp_path: Path) -> None:
    """Dark images are red, light ones blue: the loss falls far below that of copying the grey."""

    class DarkIsRed:
        def load(self, split: str) -> ImageSet:
            generator = torch.Generator().manual_seed(len(split))
            shades = torch.randint(20, 200, (40, 1, 1, 1), generator=generator)
            tint = torch.where(shades < 110, torch.tensor([50, 0, 0]).view(3, 1, 1), 0)
            tint = torch.where(shades >= 110, torch.tensor([0, 0, 50]).view(3, 1, 1), tint)
            pixels = (shades + tint).to(torch.uint8).repeat(1, 1, 16, 16)
            return ImageSet(pixels, tuple(map(str, range(40))))

    torch.manual_seed(0)
    task = ColourRegression(ColourUNet(3, 8), optimizer=partial(torch.optim.Adam, lr=0.01))
    datamodule = HorseColourizationDataModule(source=DarkIsRed(), batch_size=10)
    runner = trainer(tmp_path, max_epochs=20)
    runner.fit(task, datamodule)
    batch = datamodule.batch(datamodule.images("val").pixels)
    copy = F.mse_loss(batch.degraded.expand_as(batch.original), batch.original)
    assert runner.callback_metrics["val/mse"] < copy / 2


def lookup_unet() -> ResidualUNet:
    return ResidualUNet(6, (4, 4), base=GreyLookup(6, "histogram", bands=2))


def test_tables_of_the_network_are_fitted_to_the_training_images(tmp_path: Path) -> None:
    datamodule = data()
    task = ColourClassification(lookup_unet(), palette=6)
    fit = trainer(tmp_path, max_epochs=1)
    fit.fit(task, datamodule)
    batch = datamodule.batch(datamodule.images("train").pixels)
    expected = GreyLookup(6, "histogram", bands=2)
    expected.fit([(batch.degraded, task.palette.encode(batch.original))])
    table = task.network.base.table
    torch.testing.assert_close(table, expected.table)
    fit.save_checkpoint(tmp_path / "a.ckpt")
    back = load_task(tmp_path / "a.ckpt")
    assert torch.equal(back(batch.degraded), task.eval()(batch.degraded))


def test_a_table_needs_a_datamodule(tmp_path: Path) -> None:
    task = ColourRegression(ResidualUNet(hidden_channels=(4, 4), base=GreyLookup()))
    loader = torch.utils.data.DataLoader([torch.zeros(1)])
    with pytest.raises(ImgcolorError, match="GreyLookup"):
        trainer(tmp_path, max_epochs=1).fit(task, loader)


def test_averaged_weights_include_fitted_palette_and_tables(tmp_path: Path) -> None:
    task = ColourClassification(lookup_unet(), palette=6)
    ema = EMAWeightAveraging(decay=0.5)
    fit = trainer(tmp_path, max_epochs=2, callbacks=[ema])
    fit.fit(task, data())  # the sanity check before training needs the fitted palette too
    assert task.palette.is_fitted
    assert task.network.base.is_fitted
    fit.save_checkpoint(tmp_path / "a.ckpt")
    assert load_task(tmp_path / "a.ckpt").palette.is_fitted


def test_one_cycle_steps_once_a_batch_over_the_whole_run(tmp_path: Path) -> None:
    rates = []

    class Rates(Callback):
        def on_train_batch_end(self, trainer: Trainer, *rest: Any) -> None:
            rates.append(trainer.optimizers[0].param_groups[0]["lr"])

    schedule = partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=0.1, pct_start=0.5)
    task = ColourRegression(RegressionCNN(2), lr_scheduler=schedule, lr_interval="step")
    trainer(tmp_path, max_epochs=4, callbacks=[Rates()]).fit(task, data())
    assert len(rates) == 12
    assert max(rates) == pytest.approx(0.1, rel=0.1)
    assert rates.index(max(rates)) in (4, 5, 6)
    assert rates[-1] < 0.01


def test_flip_tta_averages_both_outputs_except_in_training() -> None:
    task = ColourRegression(ResidualUNet(hidden_channels=(4, 4)), flip_tta=True)
    torch.nn.init.normal_(task.network.head.weight)
    images = torch.rand(2, 1, 8, 8)
    task.eval()
    expected = (task.network(images) + task.network(images.flip(-1)).flip(-1)) / 2
    torch.testing.assert_close(task.run_network(images), expected)
    torch.testing.assert_close(task.run_network(images.flip(-1)), expected.flip(-1))
    task.train()
    first = task.run_network(images)
    assert (first - expected).abs().max() > 1e-3


def test_lab_loss_is_in_lab_and_images_are_in_rgb() -> None:
    original = torch.rand(2, 3, 8, 8)
    lab = torch.from_numpy(rgb2lab(original.permute(0, 2, 3, 1).double().numpy())).permute(0, 3, 1, 2).float()
    task = ColourRegression(RegressionCNN(2), space="lab")
    torch.testing.assert_close(task.coding.to_rgb(lab / 100), original, atol=1e-3, rtol=0)
    assert float(task.loss(lab / 100, original)) < 1e-6
    shifted = lab.clone()
    shifted[:, 1] += 10
    assert float(task.loss(shifted / 100, original)) == pytest.approx(0.1**2 / 3, rel=1e-3)
    with pytest.raises(ValueError, match="lab"):
        ColourRegression(RegressionCNN(2), space="lab", value_range="signed")


def test_checkpoint_round_trip_in_lab(tmp_path: Path) -> None:
    task = ColourRegression(ResidualUNet(hidden_channels=(4, 4), base=GreyLookup()), space="lab")
    fit = trainer(tmp_path, max_epochs=1)
    datamodule = data()
    fit.fit(task, datamodule)
    assert float(fit.callback_metrics["val/mse"]) < 0.02  # the table alone is as good
    fit.save_checkpoint(tmp_path / "a.ckpt")
    back = load_task(tmp_path / "a.ckpt")
    grey = torch.rand(1, 1, 8, 8)
    assert torch.equal(back(grey), task.eval()(grey))
    assert back.space == "lab"


def test_averaged_weights_with_a_fitted_palette(tmp_path: Path) -> None:
    task = ColourClassification(ColourUNet(6, base_channels=2), palette=6)
    trainer(tmp_path, max_epochs=1, callbacks=[EMAWeightAveraging(decay=0.5)]).fit(task, data())
    assert task.palette.is_fitted


def test_resumed_one_cycle_keeps_its_length(tmp_path: Path) -> None:
    def task() -> ColourRegression:
        schedule = partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=0.01)
        return ColourRegression(RegressionCNN(2), lr_scheduler=schedule, lr_interval="step")

    class Stop(Callback):
        def on_train_epoch_end(self, trainer: Trainer, *rest: Any) -> None:
            trainer.save_checkpoint(tmp_path / "a.ckpt")
            trainer.should_stop = True

    trainer(tmp_path, max_epochs=3, min_epochs=1, callbacks=[Stop()]).fit(task(), data())
    trainer(tmp_path, max_epochs=3).fit(task(), data(), ckpt_path=str(tmp_path / "a.ckpt"), weights_only=True)
    with pytest.raises(ImgcolorError, match=r"has 9 steps.*would have 15"):
        trainer(tmp_path, max_epochs=5).fit(task(), data(), ckpt_path=str(tmp_path / "a.ckpt"))
    with pytest.raises(ImgcolorError, match="known length"):
        trainer(tmp_path, max_epochs=-1).fit(task(), data())


def test_one_cycle_that_rises_for_one_step_is_refused(tmp_path: Path) -> None:
    schedule = partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=0.01, pct_start=1 / 3)
    task = ColourRegression(RegressionCNN(2), lr_scheduler=schedule, lr_interval="step")
    with pytest.raises(ImgcolorError, match=r"3 steps.*pct_start"):
        trainer(tmp_path, max_epochs=1).fit(task, data())


def test_one_cycle_without_a_length_needs_the_interval_step(tmp_path: Path) -> None:
    schedule = partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=0.01)
    task = ColourRegression(RegressionCNN(2), lr_scheduler=schedule)
    with pytest.raises(ImgcolorError, match="lr_interval: step"):
        trainer(tmp_path, max_epochs=1).fit(task, data())


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (
            lambda: ColourRegression(
                ResidualUNet(hidden_channels=(4, 4), base=GreyLookup()), value_range="signed"
            ),
            "unit",
        ),
        (lambda: ColourRegression(ResidualUNet(24, (4, 4), base=GreyLookup(24, "histogram"))), "histogram"),
        (lambda: ColourClassification(ResidualUNet(6, (4, 4), base=GreyLookup(6)), palette=6), "histogram"),
        (
            lambda: ColourClassification(ResidualUNet(6, (4, 4), base=GreyLookup(3, "histogram")), 6),
            "channels",
        ),
    ],
)
def test_tables_that_do_not_fit_the_task_are_refused(task: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(ImgcolorError, match=message):
        trainer(tmp_path, max_epochs=1).fit(task(), data())


def test_a_base_of_other_channels_is_refused() -> None:
    table = GreyLookup(8, "histogram")
    table.table.zero_()
    with pytest.raises(ValueError, match="base: expected"):
        ResidualUNet(6, (4, 4), base=table)(torch.rand(1, 1, 8, 8))


def test_kept_grey_and_lab_are_exact_under_autocast() -> None:
    task = ColourRegression(ResidualUNet(hidden_channels=(4, 4), luminance="mean"))
    torch.nn.init.normal_(task.network.head.weight)
    images = torch.rand(1, 1, 16, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = task.network(images)
        lab = rgb_to_lab(images.expand(-1, 3, -1, -1))
    torch.testing.assert_close(output.mean(dim=1, keepdim=True), images, atol=1e-5, rtol=0)
    torch.testing.assert_close(lab, rgb_to_lab(images.expand(-1, 3, -1, -1)))
    with pytest.raises(ValueError, match="luminance"):
        ColourRegression(ResidualUNet(luminance="mean"), space="lab")


def test_a_table_in_lab_is_the_grey_without_training_pixels() -> None:
    task = ColourRegression(ResidualUNet(hidden_channels=(4, 4), base=GreyLookup()), space="lab")
    black = ImageSet(torch.zeros(2, 3, 8, 8, dtype=torch.uint8), ("a", "b"))

    class Black:
        def load(self, split: str) -> ImageSet:
            return black

    task.fit(HorseColourizationDataModule(source=Black()))
    grey = torch.full((1, 1, 1, 1), 0.8)
    torch.testing.assert_close(
        task.coding.to_rgb(task.network.base(grey)), grey.expand(-1, 3, -1, -1), atol=0.01, rtol=0
    )


def test_a_fit_needs_no_datamodule_of_imgcolor(tmp_path: Path) -> None:
    class Mine(LightningDataModule):
        def train_dataloader(self) -> DataLoader[Batch]:
            batches: Any = [Batch(torch.rand(2, 1, 8, 8), torch.rand(2, 3, 8, 8))]
            return DataLoader(batches, batch_size=None)

        val_dataloader = train_dataloader

    callbacks = [BaselineMetrics(), DetailedMetrics(), MetricsFiles()]
    fit = Trainer(max_epochs=1, callbacks=callbacks, default_root_dir=tmp_path, accelerator="cpu")
    fit.fit(ColourRegression(RegressionCNN(2)), datamodule=Mine())
    assert "baseline/grey_copy/mse" in callbacks[0].results


def test_text_cannot_replace_a_module() -> None:
    task = ColourRegression(RegressionCNN())
    with pytest.raises(TypeError, match="network"):
        task.network = "RegressionCNN"  # type: ignore[assignment]
    task.criterion = "l1"
    assert task.criterion == "l1"
