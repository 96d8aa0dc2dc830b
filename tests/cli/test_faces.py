"""The face homework from end to end: fit, predict, evaluate, diverge."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from imgcolor.cli.main import main
from imgcolor.data.sources.drawn_faces import draw_faces

FACES = "experiments/faces/conv_stack.yaml"


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """A folder of the homework's layout: test images of any kind, here with their truth."""
    root = tmp_path / "faces"
    for split, seed, count in (("train", 0, 20), ("val", 1, 7)):
        (root / split / "images").mkdir(parents=True)
        for number, pixels in enumerate(draw_faces(count, 80, seed)):
            image = Image.fromarray(pixels.permute(1, 2, 0).numpy())
            image.save(root / split / "images" / f"{number:04d}.png")
    return root


def test_evaluate_reads_the_estimations_of_predict(
    tiny_fit: Callable[..., Path], faces: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tiny_fit(FACES, "--data.source=folder", f"--data.root={faces}")
    options = [
        *("--config", str(folder / "config.yaml")),
        *("--ckpt_path", str(folder / "checkpoints" / "last.ckpt")),
        *("--predictions.folder", "out", "--data.eval_batch_size=3"),
    ]
    assert main(["predict", *options]) == 0
    estimations = np.load("out/estimations.npy", allow_pickle=False)
    assert estimations.dtype == np.uint8
    assert estimations.shape == (7, 80, 80, 3)
    names = Path("out/names.txt").read_text().splitlines()
    assert names == [f"images/{number:04d}.png" for number in range(7)]
    for name, estimation in zip(names, estimations, strict=True):
        assert np.array_equal(np.asarray(Image.open(Path("out") / name)), estimation)
    capsys.readouterr()
    assert main(["evaluate", "out/estimations.npy", "out/names.txt", str(faces / "val")]) == 0
    out = capsys.readouterr().out
    # The homework's script, in NumPy.
    truth = np.stack([np.asarray(Image.open(faces / "val" / name)) for name in names]).astype(int)
    expected = np.mean(
        [np.mean(np.abs(e.astype(int) - t) < 12) for e, t in zip(estimations, truth, strict=True)]
    )
    assert f"12-margin accuracy {expected:.4f}, error {1 - expected:.4f}" in out
    of_fit = json.loads((folder / "metrics.json").read_text())["val/margin12"]
    assert of_fit == pytest.approx(expected, abs=1e-6)


def test_error_curve_is_logged_for_train_and_validation(tiny_fit: Callable[..., Path]) -> None:
    folder = tiny_fit(FACES)
    with (folder / "metrics.csv").open() as file:
        for row in csv.DictReader(file):
            for split in ("train", "val"):
                error, accuracy = float(row[f"{split}/margin12_error"]), float(row[f"{split}/margin12"])
                assert error == pytest.approx(1 - accuracy, abs=1e-6)
                assert float(row[f"{split}/mse"]) > 0
    assert (folder / "curves.png").is_file()
    assert len(list((folder / "images" / "pairs").glob("*.png"))) >= 5


def test_image_grid_shows_prediction_and_target(tiny_fit: Callable[..., Path]) -> None:
    folder = tiny_fit(FACES, "--images.count=2")
    images = [np.asarray(Image.open(path)) for path in sorted((folder / "images" / "pairs").glob("*.png"))]
    truth = draw_faces(10, 80, 1)  # the synthetic source's validation images
    assert len(images) == 2
    for image, pixels in zip(images, truth, strict=False):
        assert image.shape == (80, 162, 3)
        assert np.array_equal(image[:, 82:], pixels.permute(1, 2, 0).numpy())


@pytest.mark.parametrize("model", ["--model.optimizer.lr=1e20", "--model.optimizer.lr=1e38"])
def test_diverging_fit_stops_and_keeps_the_last_finite_checkpoint(
    tiny_fit: Callable[..., Path],
    workplace: Path,
    repository: Path,
    capsys: pytest.CaptureFixture[str],
    model: str,
) -> None:
    good = tiny_fit(FACES)
    weights = torch.load(good / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    capsys.readouterr()
    options = ["--data.source=synthetic", "--data.train_images=24", "--data.val_images=10"]
    options += ["--trainer.enable_progress_bar=false", "--model.network.tanh=false", model]
    status = main(["fit", "--config", str(repository / FACES), *options])
    assert status == 3
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert all(word in line for word in ("diverged", "epoch 0", "step", "learning rate"))
    # What an earlier run left is whole, and the diverged one left no broken weights.
    again = torch.load(good / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert all(torch.equal(value, again[name]) for name, value in weights.items())
    for path in good.with_name("version_1").rglob("*.ckpt"):
        kept = torch.load(path, weights_only=True)["state_dict"]
        assert all(value.isfinite().all() for value in kept.values() if value.is_floating_point())


@pytest.mark.parametrize(
    ("array", "names", "words"),
    [
        (np.zeros((2, 8, 8, 3), np.float32), "a.png\nb.png\n", ["estimations.npy", "uint8", "float32"]),
        (np.zeros((2, 8, 8), np.uint8), "a.png\nb.png\n", ["estimations.npy", "[2, 8, 8]"]),
        (np.zeros((0, 8, 8, 3), np.uint8), "", ["at least one"]),
        (np.zeros((2, 8, 8, 3), np.uint8), "a.png\n", ["names.txt", "2 images", "found 1"]),
        (np.zeros((2, 8, 8, 3), np.uint8), "a.png\nmissing.png\n", ["missing.png"]),
        (np.zeros((2, 9, 9, 3), np.uint8), "a.png\nb.png\n", ["a.png", "[9, 9]", "(8, 8)"]),
        (np.array([object()]), "a.png\n", ["estimations.npy", "expected a NumPy file"]),
        (None, "a.png\n", ["estimations.npy"]),
    ],
)
def test_evaluate_reports_bad_files(
    workplace: Path,
    capsys: pytest.CaptureFixture[str],
    array: np.ndarray | None,
    names: str,
    words: list[str],
) -> None:
    for name in ("a.png", "b.png"):
        Image.new("RGB", (8, 8)).save(name)
    if array is not None:
        np.save("estimations.npy", array, allow_pickle=True)
    Path("names.txt").write_text(names)
    assert main(["evaluate", "estimations.npy", "names.txt", "."]) == 1
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert all(word in line for word in words), line
