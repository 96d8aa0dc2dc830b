"""A real TensorBoard server on a real run's folder."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from PIL import Image
from tensorboard.program import TensorBoard


def test_tensorboard_lists_scalars_and_images(tiny_fit: Callable[..., Path]) -> None:
    options = ("--model.network.base_channels=4", "--images.every_n_epochs=1")
    folder = tiny_fit("experiments/horses/colour_unet.yaml", *options)
    board = TensorBoard()
    # Loads everything before it serves, so that the test need not wait.
    options = ["--load_fast=false", "--reload_task=blocking", "--reload_interval=0"]
    board.configure(argv=["tensorboard", "--logdir", str(folder.parents[1]), "--port=0", *options])
    url = board.launch()

    def get(path: str, **query: str | int) -> bytes:
        with urlopen(f"{url}data/plugin/{path}?{urlencode(query)}", timeout=60) as response:
            content: bytes = response.read()
            return content

    def hparams(path: str, **query: object) -> dict[str, Any]:
        body = json.dumps({"experimentName": "", **query}).encode()
        question = Request(f"{url}data/plugin/hparams/{path}", body, {"Content-Type": "application/json"})
        with urlopen(question, timeout=60) as response:
            answer: dict[str, Any] = json.load(response)
            return answer

    run = "horses_colour_unet/version_0"
    listed = json.loads(get("scalars/tags"))
    assert set(listed) == {run, f"{run}/baseline"}
    assert set(listed[f"{run}/baseline"]) <= set(listed[run])  # in charts that the network's curves have too
    assert not [tag for tag in listed[run] if tag.startswith("baseline/")]  # a chart of its own for each dot
    scalars = listed[run]
    assert "epoch" not in scalars
    assert {"train/loss", "val/loss", "val/accuracy", "val/mse", "val/psnr", "val/margin12"} <= set(scalars)
    points = json.loads(get("scalars/scalars", run=run, tag="val/loss"))
    final = json.loads((folder / "metrics.json").read_text())["val/loss"]
    assert len(points) == 2
    assert abs(points[-1][2] - final) < 1e-6
    assert list(json.loads(get("images/tags"))[run]) == ["val/images"]
    images = json.loads(get("images/images", run=run, tag="val/images", sample=0))
    assert len(images) == 2
    served = Image.open(io.BytesIO(get(f"images/individualImage?{images[-1]['query']}")))
    assert served.size == Image.open(folder / "images" / "epoch_0001.png").size
    texts = json.loads(get("text/tags"))
    assert texts == {
        run: ["command/text_summary", "config/text_summary"],
        f"{run}/baseline": ["baseline/text_summary"],
    }
    (command,) = json.loads(get("text/text", run=run, tag="command/text_summary"))
    assert "imgcolor fit" in command["text"]
    assert "--model.network.base_channels=4" in command["text"]
    (config,) = json.loads(get("text/text", run=run, tag="config/text_summary"))
    assert "<code>" in config["text"]
    assert "base_channels: 4" in config["text"]
    described = hparams("experiment")
    names = [option["name"] for option in described["hparamInfos"]]
    assert names[:4] == ["batch_size", "lr", "network", "network.arguments"]
    assert not {name for name in names if name.startswith("model.network")}
    assert "data.root" not in names
    assert described["metricInfos"][0]["name"]["tag"] == "val/loss"
    (session,) = hparams(
        "session_groups",
        allowedStatuses=["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_RUNNING"],
        colParams=[{"metric": described["metricInfos"][0]["name"]}],
        startIndex=0,
        sliceSize=9,
    )["sessionGroups"]
    assert session["hparams"]["network"] == "ColourUNet"
    assert "base_channels 4, dropout 0.0" in session["hparams"]["network.arguments"]
    assert (session["hparams"]["batch_size"], session["hparams"]["lr"]) == (10, 0.001)
    assert abs(session["metricValues"][0]["value"] - final) < 1e-6
