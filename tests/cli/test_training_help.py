import re

import pytest

import imgcolor.data
import imgcolor.networks
import imgcolor.tasks
from imgcolor.cli.main import main
from imgcolor.cli.training_help import HELP

VALUES = {
    "--seed_everything": "1",
    "--trainer.max_epochs": "3",
    "--trainer.max_time": "00:01:00:00",
    "--trainer.accelerator": "cpu",
    "--trainer.devices": "1",
    "--trainer.precision": "32-true",
    "--trainer.logger.name": "a",
    "--trainer.callbacks+": "EpsilonPatience",
    "--trainer.fast_dev_run": "true",
    "--data": "HorseColourizationDataModule",
    "--data.source": "synthetic",
    "--data.root": "images",
    "--data.size": "16",
    "--data.batch_size": "4",
    "--data.eval_batch_size": "4",
    "--data.augmentation": "FlipAndShift",
    "--data.holdout": "0.1",
    "--model": "ColourClassification",
    "--model.network": "ColourCNN",
    "--model.palette": "8",
    "--model.init_from": "horses",
    "--model.optimizer": "SGD",
    "--model.optimizer.lr": "0.1",
    "--model.lr_scheduler": "CosineAnnealingLR",
    "--images.every_n_epochs": "2",
    "--checkpoint.monitor": "val/mse",
    "--details.lpips": "true",
    "--predictions.folder": "out",
    "--ckpt_path": "best",
    "--output": "a.json",
}


@pytest.mark.parametrize("command", list(HELP))
def test_help_is_short_and_its_options_exist(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert len(text.splitlines()) < 80
    assert max(map(len, text.splitlines())) <= 80
    assert f"imgcolor {command} --help-all" in text
    named = [option for option in re.findall(r"^  (--\S+)", text, re.MULTILINE) if option != "--config"]
    options = [f"{name}={VALUES[name]}" for name in named if name != "--model.network.ARGUMENT"]
    if "--model.lr_scheduler" in named:
        options.append("--model.lr_scheduler.T_max=3")
    with pytest.raises(SystemExit) as stop:
        main([command, "--config", "experiments/quickstart.yaml", *options, "--print_config"])
    assert stop.value.code == 0
    assert "class_path" in capsys.readouterr().out


def test_help_of_fit_has_examples_and_names_all_classes(capsys: pytest.CaptureFixture[str]) -> None:
    main(["fit", "-h"])
    text = capsys.readouterr().out
    assert len(re.findall(r"^  imgcolor fit --config experiments/", text, re.MULTILINE)) == 3
    assert all(name in text for name in imgcolor.networks.__all__)
    tasks = {"ColourClassification", "ColourRegression", "PhotoColourization"}
    assert tasks < set(imgcolor.tasks.__all__)
    assert all(task in text for task in tasks)
    for kinds, rest in re.findall(r"\{([\w,]+)\}(\w+)", text):
        assert all(hasattr(imgcolor.data, kind + rest) for kind in kinds.split(","))


def test_help_all_lists_the_options_of_lightning(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["fit", "--help-all"])
    assert stop.value.code == 0
    assert "--trainer.gradient_clip_val" in capsys.readouterr().out


def test_help_of_a_callback(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["fit", "--trainer.callbacks.help", "EpsilonPatience"])
    assert stop.value.code == 0
    assert "--trainer.callbacks.patience" in capsys.readouterr().out
