from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from imgcolor.cli.main import main
from imgcolor.tasks import load_task

FIT = "experiments/horses/colour_unet.yaml"
SMALL = "--model.network.base_channels=4"


def save(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(path)


def test_predict_writes_a_png_for_each_image(
    tiny_fit: Callable[..., Path], workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tiny_fit(FIT, SMALL)
    names = ("test/a.png", "test/deep/er.jpg", "test/deep/er.png")
    for seed, name in enumerate(names):
        save(workplace / "photos" / name, seed)
    status = main(
        [
            "predict",
            "--config",
            str(folder / "config.yaml"),
            "--ckpt_path",
            str(folder / "checkpoints" / "last.ckpt"),
            "--data.source=folder",
            "--data.root=photos",
            "--data.eval_batch_size=2",
            "--predictions.folder=out",
        ]
    )
    assert status == 0
    out = capsys.readouterr().out
    assert "3 images of 32×32 pixels, the size to which predict resizes images (--data.size)" in out
    assert f"imgcolor colourize PHOTO --model {folder / 'checkpoints' / 'last.ckpt'}" in out
    written = sorted(path.relative_to("out").as_posix() for path in Path("out").rglob("*.png"))
    assert written == ["a.png", "deep/er.jpg.png", "deep/er.png.png"]
    task = load_task(folder / "checkpoints" / "last.ckpt")
    for name, output in (("test/a.png", "a.png"), ("test/deep/er.png", "deep/er.png.png")):
        pixels = torch.from_numpy(np.array(Image.open(workplace / "photos" / name))).permute(2, 0, 1)
        expected = task(pixels[None].float().mean(dim=1, keepdim=True) / 255)[0]
        found = torch.from_numpy(np.array(Image.open(Path("out") / output))).permute(2, 0, 1)
        torch.testing.assert_close(found.float() / 255, expected, atol=0.6 / 255, rtol=0)
