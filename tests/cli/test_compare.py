from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgcolor.cli.main import main

FIT = "experiments/horses/colour_unet.yaml"
SMALL = "--model.network.base_channels=4"


def test_options_values_curves_and_images_of_runs(
    tiny_fit: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    first = tiny_fit(FIT, SMALL)
    second = tiny_fit(FIT, SMALL, "--model.optimizer.lr=0.01", "--trainer.logger.name=fast")
    other = tiny_fit(FIT, SMALL, "--data.val_images=12", "--images.every_n_epochs=0")
    capsys.readouterr()
    assert main(["compare", str(first), str(second), "--output", "out"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("1 option of the runs differs")
    rows = {line.split()[0]: line.split()[1:] for line in printed.splitlines() if line.strip()}
    assert rows["model.optimizer.lr"] == ["0.001", "0.01"]
    for name in ("loss", "accuracy", "mse", "psnr", "margin12", "ssim", "delta_e"):
        arrow, *values = rows[name]
        numbers = [float(value.rstrip("*")) for value in values]
        best = (max if arrow == "↑" else min)(numbers)
        assert [value.endswith("*") for value in values] == [number == best for number in numbers]
    text = Path("out/comparison.md").read_text()
    assert "| model.optimizer.lr | 0.001 | 0.01 |" in text
    assert "**" in text
    assert "note" not in printed
    images = np.asarray(Image.open("out/images.png"))
    # Three rows: two runs, and the target as in the pairs.
    assert images.shape[0] == 3 * (96 + 2)
    pair = np.asarray(Image.open(first / "images" / "pairs" / "00.png").convert("RGB"))
    left = images.shape[1] - 8 * (96 + 2)
    assert np.array_equal(images[1:97:3, left + 1 : left + 97 : 3], pair[:, :32])
    assert np.array_equal(images[197:293:3, left + 1 : left + 97 : 3], pair[:, -32:])
    assert Image.open("out/curves.png").width <= 1200

    assert main(["compare", str(first), str(other)]) == 0
    printed = capsys.readouterr().out
    assert "note: the validation images of the runs may differ (data.val_images)" in printed
    assert f"note: {other.name} is not in images.png: it has no images/pairs" in printed
    assert Path("comparison/comparison.md").is_file()


def test_folders_that_are_no_runs_are_named(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "a"]) == 2
    assert "expected at least two runs, found 1" in capsys.readouterr().err
    assert main(["compare", "a", "b"]) == 1
    assert "a: expected a run folder with config.yaml and metrics.json" in capsys.readouterr().err
    assert not Path("comparison").exists()
