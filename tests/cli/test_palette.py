import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from imgcolor.cli.main import main

FIT = "experiments/horses/colour_unet.yaml"
SMALL = "--model.network.base_channels=4"


def test_palette_writes_json_and_image(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["palette", "--colours=5", "--output=five.json"]) == 0
    content = json.loads(Path("five.json").read_text())
    assert len(content["centroids"]) == 5
    image = Image.open("five.png")
    assert image.convert("RGB").getpixel((2, 2)) == tuple(round(255 * v) for v in content["centroids"][0])
    assert main(["palette", "--colours=5", "--output=five.json"]) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert main(["palette", "--output=same.png"]) == 1
    assert not Path("same.png").exists()
    assert main(["palette", "--colours=6", "--output=five.json", "--overwrite"]) == 0
    assert len(json.loads(Path("five.json").read_text())["centroids"]) == 6


def test_fit_uses_a_palette_file(tiny_fit: Callable[..., Path], workplace: Path) -> None:
    assert main(["palette", "--colours=7", "--output=seven.json"]) == 0
    folder = tiny_fit(FIT, SMALL, "--model.palette=seven.json", "--model.network.out_channels=7")
    colours = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"][
        "coding.palette.colours"
    ]
    expected = json.loads(Path("seven.json").read_text())["centroids"]
    torch.testing.assert_close(colours, torch.tensor(expected))
