"""Training that starts from the weights of another model."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from imgcolor.baselines import GreyLookup
from imgcolor.checkpoints import load_parts, read_checkpoint
from imgcolor.cli.main import main
from imgcolor.networks import RegressionCNN
from imgcolor.pretrained import weights_path
from imgcolor.tasks.transfer import init_network
from imgcolor.utils.errors import ImgcolorError

EXPERIMENT = "experiments/horses/regression_cnn.yaml"


@pytest.fixture
def first(tiny_fit: Callable[..., Path]) -> Path:
    """Return the last checkpoint of a short fit."""
    return tiny_fit(EXPERIMENT) / "checkpoints" / "last.ckpt"


def test_training_starts_from_the_weights(
    first: Path, tiny_fit: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tiny_fit(
        EXPERIMENT,
        f"--model.init_from={first}",
        "--model.optimizer=torch.optim.SGD",
        "--model.optimizer.lr=0",
    )
    before, after = (read_checkpoint(p)["state_dict"] for p in (first, folder / "checkpoints" / "last.ckpt"))
    weights = [name for name in before if name.endswith("weight") and name.startswith("network.")]
    assert weights
    assert "tensors are copied" in capsys.readouterr().err
    assert all(torch.equal(before[name], after[name]) for name in weights)


def test_the_run_keeps_where_it_started_and_its_checkpoint_does_not_need_it(
    first: Path, tiny_fit: Callable[..., Path]
) -> None:
    folder = tiny_fit(EXPERIMENT, f"--model.init_from={first}")
    assert f"init_from: {first}" in (folder / "config.yaml").read_text()
    first.unlink()
    checkpoint = str(folder / "checkpoints" / "last.ckpt")
    options = ["--config", str(folder / "config.yaml"), "--ckpt_path", checkpoint, "--model.init_from=null"]
    assert main(["validate", *options]) == 0
    assert json.loads((folder / "metrics.json").read_text())


def test_other_shapes_are_named_and_newly_initialised(
    first: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(1)
    network = RegressionCNN(base_channels=32, kernel_size=5)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    init_network(network, first)
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert changed
    assert not any(
        network.state_dict()[name].ndim == 4 for name in changed
    )  # convolutions have another kernel
    assert "of another shape" in capsys.readouterr().err


def test_a_model_of_another_network_is_refused(first: Path) -> None:
    with pytest.raises(ImgcolorError, match="expected weights that fit Linear"):
        init_network(torch.nn.Linear(3, 7), first)


def test_a_shipped_model_is_found_by_its_name() -> None:
    network = RegressionCNN()
    with pytest.raises(ImgcolorError, match="expected one of photos"):
        init_network(network, "no_such_model")


def test_lookup_tables_are_fitted_to_the_new_images() -> None:
    trained = read_checkpoint(weights_path("faces"))["state_dict"]
    network = load_parts(weights_path("faces")).network
    table = next(module for module in network.modules() if isinstance(module, GreyLookup))
    table.table.fill_(torch.nan)
    for parameter in network.parameters():
        torch.nn.init.zeros_(parameter)
    init_network(network, "faces")
    assert not table.is_fitted
    for name, parameter in network.named_parameters():
        assert torch.equal(parameter, trained[f"network.{name}"]), name
