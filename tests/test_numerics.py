"""Numerical accuracy: gradients, metrics in each precision and memory layout, and constant images."""

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lightning.pytorch import Trainer
from PIL import Image
from skimage.color import deltaE_ciede2000, rgb2lab
from torch import Tensor, nn

from imgcolor.callbacks import BaselineMetrics, DetailedMetrics
from imgcolor.cli.main import main
from imgcolor.colour import Palette, from_signed, lab_to_rgb, rgb_to_lab, to_signed
from imgcolor.data import Batch, BoxDownsample, FolderSource, HorseColourizationDataModule, MeanGrey
from imgcolor.metrics import Colourfulness, DeltaE, MarginCurve, StructuralSimilarity
from imgcolor.networks import (
    ColourCNN,
    ColourUNet,
    ResidualUNet,
    ResidualUpscaler,
)
from imgcolor.tasks import ColourClassification, ColourRegression, ColourTask

COLOURS = torch.tensor([[0.05, 0.1, 0.2], [0.9, 0.3, 0.25], [0.4, 0.8, 0.6], [1, 1, 1]])

# --- gradients --------------------------------------------------------------------------------------------


def random_float64(*shape: int, low: float = 0.02, high: float = 0.98, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return low + (high - low) * torch.rand(*shape, dtype=torch.float64, generator=generator)


LOSSES = {
    **{
        f"{criterion} {options}": ColourRegression(nn.Identity(), criterion, **options)
        for criterion in ("mse", "l1", "huber")
        for options in ({}, {"value_range": "signed"}, {"space": "lab"})
    },
    **{
        f"classes {options}": ColourClassification(nn.Identity(), Palette.from_colours(COLOURS), **options)
        for options in ({}, {"label_smoothing": 0.2}, {"rebalancing": 0.5, "label_smoothing": 0.1})
    },
}
LOSSES["classes {'rebalancing': 0.5, 'label_smoothing': 0.1}"].class_weights.copy_(
    torch.tensor([0.5, 2, 0.75, 1])
)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_of_losses_match_finite_differences(name: str) -> None:
    task = LOSSES[name]
    channels = 4 if isinstance(task, ColourClassification) else 3
    # Outputs in [-3, 3], so that some errors are above 1, where huber is linear. None of these random outputs is so
    # close to its target that a finite difference crosses the kink of l1.
    output = random_float64(2, channels, 3, 2, low=-3, high=3).requires_grad_()
    assert torch.autograd.gradcheck(partial(task.loss, original=random_float64(2, 3, 3, 2, seed=1)), output)


CONVERSIONS: dict[str, tuple[Callable[[Tensor], Tensor], Tensor]] = {
    "rgb_to_lab": (rgb_to_lab, random_float64(2, 3, 4, 3)),
    "rgb_to_lab of dark colours": (rgb_to_lab, random_float64(2, 3, 4, 3, low=0.001, high=0.04)),
    "lab_to_rgb": (lab_to_rgb, rgb_to_lab(random_float64(2, 3, 4, 3, low=0.1, high=0.9))),
    "to_signed": (to_signed, random_float64(2, 3, 2, 2)),
    "from_signed": (from_signed, random_float64(2, 3, 2, 2, low=-1)),
    "expectation": (
        partial(Palette.from_colours(COLOURS).decode, decoding="expectation"),
        random_float64(2, 4, 3, 2, high=9),
    ),
    "annealed": (Palette.from_colours(COLOURS).decode, random_float64(2, 4, 3, 2, high=9)),
    "MeanGrey": (MeanGrey(), random_float64(2, 3, 2, 2)),
    "BoxDownsample": (BoxDownsample(2), random_float64(2, 3, 4, 2)),
}


@pytest.mark.parametrize("name", CONVERSIONS)
def test_gradients_of_conversions_match_finite_differences(name: str) -> None:
    function, images = CONVERSIONS[name]
    assert function(images).dtype == torch.float64
    assert torch.autograd.gradcheck(function, images.clone().requires_grad_())


# --- metrics ----------------------------------------------------------------------------------------------

LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "contiguous": lambda images: images,
    "channels_last": lambda images: images.to(memory_format=torch.channels_last),
    "transposed": lambda images: images.mT.contiguous().mT,
    "sliced": lambda images: torch.cat([images, images], dim=-1)[..., : images.shape[-1]],
    "every other image of a batch": lambda images: images.repeat_interleave(2, dim=0)[::2],
}


def numpy_ssim(first: np.ndarray, second: np.ndarray) -> float:
    """Compute the SSIM of images [3, H, W] by its definition, with a Gaussian window of at most 11 pixels."""
    half = min(5, (min(first.shape[1:]) - 1) // 2)
    steps = np.arange(-half, half + 1)
    line = np.exp(-(steps**2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2

    def blurred(images: np.ndarray) -> np.ndarray:
        views = np.lib.stride_tricks.sliding_window_view(images, window.shape, axis=(1, 2))
        return (views * window).sum(axis=(-2, -1))

    m1, m2 = blurred(first), blurred(second)
    v1, v2, v12 = (
        blurred(a * b) - ma * mb
        for a, b, ma, mb in ((first, first, m1, m1), (second, second, m2, m2), (first, second, m1, m2))
    )
    top = (2 * m1 * m2 + 0.01**2) * (2 * v12 + 0.03**2)
    return float((top / ((m1**2 + m2**2 + 0.01**2) * (v1 + v2 + 0.03**2))).mean())


def expected_metrics(prediction: np.ndarray, target: np.ndarray) -> dict[str, float]:
    """Compute all metrics with NumPy and scikit-image, for float64 images [B, 3, H, W] that are clamped to [0, 1]."""
    clamped = prediction.clip(0, 1)
    levels = [np.rint(np.float32(images) * np.float32(255)) for images in (clamped, target)]
    differences = np.abs(levels[0] - levels[1])
    labs = [rgb2lab(np.moveaxis(images, 1, -1)) for images in (clamped, target)]
    red, green, blue = np.moveaxis(clamped.reshape(len(clamped), 3, -1) * 255, 1, 0)
    rg, yb = red - green, (red + green) / 2 - blue
    colourful = np.hypot(rg.std(1), yb.std(1)) + 0.3 * np.hypot(rg.mean(1), yb.mean(1))
    mse = ((clamped - target) ** 2).mean()
    return {
        "mse": mse,
        "psnr": 10 * math.log10(1 / mse),
        "margin12": (differences < 12).mean(),
        "margin12_error": 1 - (differences < 12).mean(),
        "margin30": (differences < 30).mean(),
        "delta_e": deltaE_ciede2000(*labs).mean(),
        "colourfulness": colourful.mean(),
        "ssim": np.mean([numpy_ssim(*pair) for pair in zip(clamped, target, strict=True)]),
    }


def metrics_of_imgcolor(batches: list[tuple[Tensor, Tensor]]) -> dict[str, float]:
    """Compute the same metrics with the classes of imgcolor, in batches of (prediction, target)."""
    task = ColourRegression(nn.Identity())
    ssim, delta_e, colourfulness, curve = StructuralSimilarity(), DeltaE(), Colourfulness(), MarginCurve()
    for prediction, target in batches:
        task.update_metrics(task.val_metrics, prediction, Batch(prediction, target))
        image = task.coding.to_rgb(prediction)
        for metric in (ssim, delta_e, curve):
            metric.update(image, target)
        colourfulness.update(image)
    metrics = {name.removeprefix("val/"): value for name, value in task.val_metrics.compute().items()}
    metrics |= {
        "ssim": ssim.compute(),
        "delta_e": delta_e.compute(),
        "colourfulness": colourfulness.compute(),
    }
    return {name: float(value) for name, value in (metrics | {"margin30": curve.compute()[30]}).items()}


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 5), st.integers(3, 24), st.integers(3, 24)),
    types=st.tuples(*[st.sampled_from([torch.float32, torch.float64, torch.float16, torch.bfloat16])] * 2),
    layouts=st.tuples(*[st.sampled_from(sorted(LAYOUTS))] * 2),
    spread=st.sampled_from([0.01, 0.1, 1.0]),
)
def test_metrics_match_numpy_and_scikit_image(
    seed: int,
    shape: tuple[int, int, int],
    types: tuple[torch.dtype, torch.dtype],
    layouts: tuple[str, str],
    spread: float,
) -> None:
    """The values are equal for each precision, memory layout, image size and division into batches."""
    generator = torch.Generator().manual_seed(seed)
    count, height, width = shape
    target = torch.rand(count, 3, height, width, generator=generator).to(types[0])
    noise = spread * torch.randn(target.shape, generator=generator)
    prediction = (target.float() + noise).to(types[1])
    expected = expected_metrics(prediction.double().numpy(), target.double().numpy())
    prediction, target = LAYOUTS[layouts[0]](prediction), LAYOUTS[layouts[1]](target)
    cut = int(torch.randint(count, (), generator=generator))
    parts = [part for part in (slice(cut), slice(cut, None)) if len(target[part])]
    found = metrics_of_imgcolor([(prediction[part], target[part]) for part in parts])
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        # scikit-image rounds its white point and its matrix from RGB to XYZ to fewer digits.
        close = {"abs": 2e-3} if name == "delta_e" else {"rel": 1e-4, "abs": 1e-5}
        assert found[name] == pytest.approx(value, **close), name


# --- batches and threads ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["colours", "classes"])
def test_metrics_do_not_depend_on_the_batch_size(kind: str, tmp_path: Path) -> None:
    network = ResidualUNet(3 if kind == "colours" else 4, hidden_channels=(4, 4), dropout=0.5)
    task = (
        ColourRegression(network)
        if kind == "colours"
        else ColourClassification(network, Palette.from_colours(COLOURS))
    )

    def validated(batch: int) -> dict[str, float]:
        baselines, details = BaselineMetrics(), DetailedMetrics()
        trainer = Trainer(
            default_root_dir=tmp_path,
            accelerator="cpu",
            logger=False,
            callbacks=[baselines, details],
            enable_progress_bar=False,
        )
        data = HorseColourizationDataModule(train_images=20, val_images=11, size=16, eval_batch_size=batch)
        (metrics,) = trainer.validate(task, data, verbose=False)
        return {**metrics, **baselines.results, **details.results}

    expected = validated(11)
    assert len(expected) > 40
    for batch in (1, 4, 1000):
        found = validated(batch)
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            assert found[name] == pytest.approx(value, rel=1e-5, abs=1e-7), (batch, name)


def test_images_do_not_depend_on_the_number_of_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    (tmp_path / "train").mkdir()
    for number in range(40):
        pixels = rng.integers(0, 256, (9 + number, 20, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "train" / f"{number}.jpg")
    image_sets = []
    for threads in (1, 2, 7):
        # With a memory_limit of 0 the images are read from the file in the cache folder.
        for memory_limit in (None, 0.0):
            monkeypatch.setattr("os.cpu_count", lambda threads=threads: threads)
            image_sets.append(FolderSource(tmp_path, 12, memory_limit).load("train"))
            for file in (tmp_path / "cache").rglob("*.uint8"):
                file.unlink()
    for other in image_sets[1:]:
        assert other.names == image_sets[0].names
        assert torch.equal(other.pixels, image_sets[0].pixels)


# --- constant images --------------------------------------------------------------------------------------

CONSTANT = {
    "black": (0.0, 0.0, 0.0),
    "white": (1.0, 1.0, 1.0),
    "grey": (0.5, 0.5, 0.5),
    "red": (1.0, 0.0, 0.0),
}
NETWORKS: dict[str, tuple[Callable[[int], nn.Module], int]] = {
    "ColourCNN": (lambda channels: ColourCNN(channels, 4), 1),
    "ColourUNet": (lambda channels: ColourUNet(channels, 4), 1),
    "ResidualUNet": (lambda channels: ResidualUNet(channels, hidden_channels=(4, 4)), 1),
    "ResidualUpscaler": (
        lambda channels: ResidualUpscaler(channels, hidden_channels=4, blocks=1, keep_mean=channels == 3),
        4,
    ),
}


def tasks(name: str) -> list[ColourTask]:
    build = NETWORKS[name][0]
    kinds: list[ColourTask] = [
        ColourRegression(build(3), criterion, space=space)
        for criterion in ("mse", "l1", "huber")
        for space in ("rgb", "lab")
        if space == "rgb" or getattr(build(3), "luminance", None) is None
    ]
    kinds += [ColourRegression(build(3), value_range="signed")]
    kinds += [
        ColourClassification(
            build(4), Palette.from_colours(COLOURS), decoding=decoding, rebalancing=rebalancing
        )
        for decoding, rebalancing in (("argmax", None), ("expectation", 0.5), ("annealed", None))
    ]
    return kinds


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("colour", CONSTANT)
def test_constant_images_give_finite_metrics_and_gradients(name: str, colour: str) -> None:
    original = torch.tensor(CONSTANT[colour]).view(1, 3, 1, 1).expand(2, 3, 16, 16).clone()
    scale_factor = NETWORKS[name][1]
    degradation = MeanGrey() if scale_factor == 1 else BoxDownsample(scale_factor)
    batch = Batch(degradation(original), original)
    for task in tasks(name):
        output = task.run_network(batch.degraded)
        task.loss(output, original).backward()
        for weights in task.network.parameters():
            assert weights.grad is None or weights.grad.isfinite().all()
        with torch.no_grad():
            for image in task.visualize(batch).values():
                assert image.isfinite().all()
                assert 0 <= image.min() <= image.max() <= 1
            perfect = task.coding.target(original)
            outputs = [output] if isinstance(task, ColourClassification) else [output, perfect]
            metrics = metrics_of_imgcolor([(task.coding.to_rgb(one), original) for one in outputs])
        assert not any(math.isnan(value) for value in metrics.values()), metrics


@pytest.mark.parametrize(
    "options",
    [
        ["--config=experiments/horses/best_regression.yaml", "--model.network.hidden_channels=[4,4]"],
        ["--config=experiments/faces/conv_stack.yaml", "--model.network.hidden_channels=2"],
        [
            "--config=experiments/horses/regression_cnn.yaml",
            "--model.network.base_channels=2",
            "--model.space=lab",
        ],
        [
            "--config=experiments/superres/best.yaml",
            "--model.network.hidden_channels=4",
            "--model.network.blocks=1",
        ],
        [
            "--config=experiments/horses/colour_unet.yaml",
            *(
                "--model.network.base_channels=2",
                "--model.network.out_channels=4",
                "--model.palette=palette.json",
            ),
        ],
    ],
)
def test_fit_of_constant_images_writes_finite_metrics(options: list[str], workplace: Path) -> None:
    for split in ("train", "val"):
        for number, colour in enumerate(CONSTANT.values()):
            path = workplace / "photos" / split / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (16, 16), tuple(round(255 * level) for level in colour)).save(path)
    Palette.from_colours(COLOURS).save("palette.json")
    arguments = [*options, "--data.source=folder", "--data.root=photos", "--data.size=16"]
    arguments += [
        "--data.batch_size=3",
        "--trainer.max_epochs=1",
        "--trainer.precision=32-true",
        "--images.every_n_epochs=0",
    ]
    arguments += ["--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false"]
    assert main(["fit", *arguments]) == 0
    (run,) = workplace.glob("lightning_logs/*/version_0")

    def refuse(constant: str) -> Any:
        raise AssertionError(f"metrics.json: found {constant}, which JSON does not have")

    metrics = json.loads((run / "metrics.json").read_text(), parse_constant=refuse)
    assert not any(math.isnan(value) for value in metrics.values())
    # The PSNR of a baseline with no error is infinite.
    assert all(math.isfinite(value) for name, value in metrics.items() if not name.endswith("psnr"))


# --- half precision ---------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("experiment", "metric"),
    [
        (
            ["--config=experiments/horses/best_regression.yaml", "--model.network.hidden_channels=[4,8]"],
            "val/mse",
        ),
        (["--config=experiments/horses/colour_unet.yaml", "--model.network.base_channels=4"], "val/loss"),
    ],
)
def test_mixed_precision_is_close_to_single_precision(
    experiment: list[str], metric: str, workplace: Path
) -> None:
    """The final metrics of bf16-mixed differ by less than 1 % from those of float32."""
    found = []
    for number, precision in enumerate(("32-true", "bf16-mixed")):
        arguments = [*experiment, "--data.source=synthetic", "--data.size=16", "--data.train_images=60"]
        arguments += ["--data.val_images=20", "--data.batch_size=10", "--trainer.max_epochs=10"]
        arguments += [f"--trainer.precision={precision}", "--images.every_n_epochs=0"]
        arguments += ["--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false"]
        assert main(["fit", *arguments]) == 0
        (run,) = workplace.glob(f"lightning_logs/*/version_{number}")
        found.append(json.loads((run / "metrics.json").read_text()))
    for name in (metric, "val/psnr", "val/margin12"):
        print(name, *(metrics[name] for metrics in found))
        assert found[1][name] == pytest.approx(found[0][name], rel=0.01), name
