import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from imgcolor.cli.main import main

FIT = "experiments/quickstart.yaml"
SMALL = "--model.network.hidden_channels=[4]"
TINY_DATA = ["--data.train_images=20", "--data.val_images=10", "--trainer.enable_progress_bar=false"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--data.source=folder", "--data.root=nowhere"], ["nowhere", "expected", "found nothing"]),
        (["--data.category=zebra", "--data.source=cifar10"], ["zebra", "horse"]),
        (["--model.palette=none.json"], ["none.json", "imgcolor palette"]),
        (["--model.palette=16"], ["16", "24", "number of colours"]),
        (["--data.batch_size=0"], ["data.batch_size", "at least 1"]),
        (["--ckpt_path=none.ckpt"], ["none.ckpt"]),
        (["--model.network=ColourUNet", "--model.network.kernel_size=4"], ["kernel_size", "odd"]),
        (["--model.network.blocks=0"], ["blocks", "at least 1"]),
        (["--images.count=0"], ["images.count"]),
        (["--model.label_smoothing=2"], ["label_smoothing", "[0, 1)"]),
        (
            ["--trainer.callbacks=EpsilonPatience", "--trainer.callbacks.patience=-1"],
            ["patience", "0 or more"],
        ),
    ],
)
def test_bad_value_is_reported_in_one_line(
    tiny_fit: Callable[..., Path],
    workplace: Path,
    repository: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    words: list[str],
) -> None:
    status = main(["fit", "--config", str(repository / FIT), *TINY_DATA, *options])
    captured = capsys.readouterr()
    assert status == 1
    line = captured.err.strip().splitlines()[-1]
    assert line.startswith("imgcolor: error: ")
    assert all(word in line for word in words)
    assert len(line) < 400
    assert "Traceback" not in captured.err
    assert not list(workplace.rglob("*.part"))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("batch_size:", "batchsize:", ["batchsize"]),
        ("max_epochs:", "maxepochs:", ["maxepochs"]),
        ("lr: 0.001", "lr: fast", ["model.optimizer.lr: expected float, found fast"]),
        ("lr: 0.001", "learning_rate: 0.1", ["model.optimizer.learning_rate: Adam has no such option", "lr"]),
        ("torch.optim.Adam", "torch.optim.Adamm", ["model.optimizer: module 'torch.optim' has no", "Adamm"]),
        (
            "palette: 24",
            "palette: 24\n    flip_tta: many",
            ["model.flip_tta: expected bool, found many"],
        ),
        ("every_n_epochs: 1", "every_n_epoch: 1", ["images.every_n_epoch", "did you mean every_n_epochs?"]),
        ("imgcolor.networks.ResidualUNet", "imgcolor.networks.ResUNet", ["ResUNet"]),
        ("max_epochs: 6", "max_epochs: [", []),
    ],
)
def test_misspelt_configuration_is_reported_in_one_line(
    workplace: Path,
    repository: Path,
    capsys: pytest.CaptureFixture[str],
    old: str,
    new: str,
    words: list[str],
) -> None:
    text = (repository / FIT).read_text()
    assert old in text
    (workplace / "exp.yaml").write_text(text.replace(old, new))
    status = main(["fit", "--config", "exp.yaml"])
    captured = capsys.readouterr()
    assert status == 2
    (line,) = captured.err.strip().splitlines()
    assert line.startswith("imgcolor: error: ")
    assert all(word in line for word in ["exp.yaml", *words]), line
    assert len(line) < 300


def test_overrides_without_configuration_are_refused(
    workplace: Path, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", "--data.source=synthetic"]) == 2
    assert "--config FILE" in capsys.readouterr().err
    assert main(["fit", "--config", str(repository / FIT), "--model.network=ColorUNet"]) == 2
    line = capsys.readouterr().err
    assert "model.network" in line
    assert "did you mean ColourUNet?" in line


@pytest.mark.parametrize("command", ["validate", "test", "predict"])
def test_commands_need_a_checkpoint(
    command: str, workplace: Path, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "--config", str(repository / FIT)]) == 1
    assert "--ckpt_path" in capsys.readouterr().err
    assert not list(workplace.iterdir())


@pytest.mark.parametrize(
    ("precision", "has_bfloat16", "told"),
    [("bf16-mixed", False, True), ("bf16-mixed", True, False), ("32-true", False, False)],
)
def test_emulated_bfloat16_gets_a_note(
    precision: str,
    has_bfloat16: bool,
    told: bool,
    tiny_fit: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("imgcolor.cli.training.has_fast_bfloat16", lambda *_: has_bfloat16)
    run = tiny_fit(FIT, SMALL, f"--trainer.precision={precision}", "--trainer.max_epochs=1")
    assert ("--trainer.precision 32-true" in capsys.readouterr().err) is told
    for command in ("validate", "predict"):
        assert main([command, "--config", str(run / "config.yaml"), "--ckpt_path=last"]) == 0
        assert ("--trainer.precision 32-true" in capsys.readouterr().err) is told


OWN_NETWORK = """
from torch import nn


class TinyNet(nn.Module):
    def __init__(self, width: int = 4, names: list[str] | None = None) -> None:
        super().__init__()


class NoNetwork:
    pass
"""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model.network.base_channels=abc"], "model.network.base_channels: expected int, found abc"),
        (["--model.network.filters=abc"], "model.network.filters: ColourUNet has no such option; it has out_"),
        (["--model.network=TinyNet", "--model.network.width=1"], "expected the name of a class, found 'TinyNet'"),
        (["--model.network=own.TinyNett"], "model.network: module 'own' has no class 'TinyNett'; did you mean Ti"),
        (["--model.network=onw.TinyNet"], "model.network: no module named 'onw', neither in the current"),
        (["--model.network=own.NoNetwork"], "model.network: expected a subclass of Module, found own.NoNetwork"),
        (["--model.network=own.TinyNet", "--model.network.width=a"], "network.width: expected int, found a"),
        (["--model.network=own.TinyNet", "--model.network.names=3"], "names: expected list or null, found 3"),
        (["--model.optimizer=Adamm"], "model.optimizer: expected the name of a class, found 'Adamm'; did you mean A"),
        (["--model.optimizer.lr=abc"], "model.optimizer.lr: expected float, found abc"),
        (["--model.lr_scheduler=StepLRR"], "found 'StepLRR'; did you mean StepLR?"),
        (
            ["--model.lr_scheduler=StepLR", "--model.lr_scheduler.step_size=x"],
            "model.lr_scheduler.step_size: expected int, found x",
        ),
        (["--data.batchsize=3"], "data.batchsize: HorseColourizationDataModule has no such option; did you mean b"),
        (["--data.augmentation=FlipAndShif"], "data.augmentation: expected the name of a class"),
        (["--data.holdout=x"], "data.holdout: expected float, found x"),
        (["--data=HorseDataModule"], "data: expected the name of a class, found 'HorseDataModule'"),
        (["--model=ColourClasification"], "did you mean ColourClassification?"),
        (["--trainer.callbacks=EarlyStoping"], "trainer.callbacks: expected the name of a class, found 'EarlyStoping'"),
        (["--trainer.logger=CSVLoger"], "did you mean CSVLogger?"),
        (["--checkpoint.monitr=a"], "checkpoint.monitr: no such option; did you mean monitor?"),
    ],
)  # fmt: skip
def test_wrong_option_names_key_type_and_suggestion(
    options: list[str],
    message: str,
    workplace: Path,
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.syspath_prepend(workplace)
    monkeypatch.delitem(sys.modules, "own", raising=False)
    (workplace / "own.py").write_text(OWN_NETWORK)
    experiment = repository / "experiments/horses/colour_unet.yaml"
    assert main(["fit", "--config", str(experiment), *options]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert message in line
    assert line.startswith("imgcolor: error: ")
