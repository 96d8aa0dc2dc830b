import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import imgcolor
from imgcolor.cli.main import COMMANDS, main
from imgcolor.tasks import load_task

FIT = "experiments/quickstart.yaml"
SMALL = "--model.network.base_channels=4"


def weights(folder: Path) -> dict[str, torch.Tensor]:
    checkpoint = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    state: dict[str, torch.Tensor] = checkpoint["state_dict"]
    return state


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"\n  {command} " in out for command in COMMANDS)
    lines = out.splitlines()
    assert len(lines) < 24, "one screen, with the prompt"
    assert max(map(len, lines)) <= 80
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"imgcolor {imgcolor.__version__}\n"


def test_a_misspelt_command_is_guessed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["colourise", "a.jpg"]) == 1
    assert capsys.readouterr().err.rstrip().endswith("did you mean colourize?")


def test_module_runs_as_a_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "imgcolor", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("imgcolor ")


def test_help_needs_none_of_the_heavy_packages() -> None:
    program = (
        "import sys, imgcolor.cli.main; imgcolor.cli.main.main(['--help']); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("False\n")


def test_network_options_show_in_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["fit", "--model.help=ColourClassification"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    assert "--model.label_smoothing" in out
    assert "imgcolor.networks.ColourUNet" in out
    assert "torch.nn.Linear" not in out
    with pytest.raises(SystemExit):
        main(["fit", "--model.help=ColourClassification", "--model.network.help=ColourUNet"])
    assert "--model.network.base_channels" in capsys.readouterr().out


def test_network_optimizer_and_scheduler_by_name_alone(tiny_fit: Callable[..., Path]) -> None:
    folder = tiny_fit(
        "experiments/horses/regression_cnn.yaml",
        *("--model.network=ColourUNet", "--model.network.out_channels=3", "--model.network.base_channels=2"),
        *("--model.optimizer=SGD", "--model.optimizer.lr=0.1"),
        *(
            "--model.lr_scheduler=StepLR",
            "--model.lr_scheduler.step_size=1",
            "--model.lr_scheduler.gamma=0.5",
        ),
    )
    with (folder / "metrics.csv").open() as file:
        assert [float(row["lr"]) for row in csv.DictReader(file)] == [0.1, 0.05]
    assert isinstance(load_task(folder / "checkpoints" / "last.ckpt").network, imgcolor.networks.ColourUNet)


def test_fit_ends_by_saying_where_everything_is(
    tiny_fit: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tiny_fit(FIT, SMALL)
    out = capsys.readouterr().out
    relative = "lightning_logs/quickstart/version_0"
    assert folder.as_posix().endswith(relative)
    for line in (relative, f"{relative}/images/epoch_0001.png", f"{relative}/checkpoints/last.ckpt"):
        assert line in out
    assert "--logdir lightning_logs/quickstart" in out


def test_a_profile_that_is_asked_for_is_shown(
    tiny_fit: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    tiny_fit(FIT, SMALL, "--trainer.profiler=simple")
    assert "run_training_batch" in caplog.text  # Lightning's loggers write it to the terminal


def test_same_seed_same_weights_bit_for_bit(tiny_fit: Callable[..., Path]) -> None:
    first = weights(tiny_fit(FIT, SMALL, "--model.network.dropout=0.2"))
    torch.rand(3)  # what ran before must not matter
    second = weights(tiny_fit(FIT, SMALL, "--model.network.dropout=0.2"))
    assert all(torch.equal(first[name], second[name]) for name in first)
    other = weights(tiny_fit(FIT, SMALL, "--model.network.dropout=0.2", "--seed_everything=1"))
    assert not torch.equal(first["network.finalconv.weight"], other["network.finalconv.weight"])


def test_saved_config_reruns_as_it_is(tiny_fit: Callable[..., Path], workplace: Path) -> None:
    first = tiny_fit(FIT, SMALL)
    assert main(["fit", "--config", str(first / "config.yaml")]) == 0
    again = weights(workplace / "lightning_logs" / "quickstart" / "version_1")
    assert all(torch.equal(value, again[name]) for name, value in weights(first).items())


def test_run_can_be_moved_elsewhere(workplace: Path, repository: Path) -> None:
    options = [*TINY_DATA, "--trainer.max_epochs=1", SMALL, "--trainer.logger.init_args.save_dir=elsewhere"]
    assert main(["fit", "--config", str(repository / FIT), *options]) == 0
    assert (workplace / "elsewhere" / "quickstart" / "version_0" / "metrics.json").is_file()
    assert not (workplace / "lightning_logs").exists()


@pytest.mark.parametrize("command", ["validate", "test", "predict"])
def test_without_a_trained_network(
    command: str, workplace: Path, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "--config", str(repository / FIT)]) == 1
    assert "--ckpt_path" in capsys.readouterr().err
    assert not list(workplace.iterdir())


def test_resuming_where_validation_is_every_other_epoch(tiny_fit: Callable[..., Path]) -> None:
    options = (SMALL, "--trainer.check_val_every_n_epoch=2")
    first = tiny_fit(FIT, *options)
    last = str(first / "checkpoints" / "last.ckpt")
    resumed = tiny_fit(FIT, *options, "--ckpt_path", last, "--trainer.max_epochs=4")
    with (resumed / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1", "2", "3"]
    assert [row["val/loss"] != "" for row in rows] == [False, True, False, True]
    assert all(float(row["lr"]) == 0.003 and 0 < float(row["seconds"]) < 60 for row in rows)


def test_experiments_come_with_the_package(workplace: Path, repository: Path) -> None:
    options = ["--data.train_images=20", "--data.val_images=10", "--trainer.enable_progress_bar=false"]
    experiment = "experiments/horses/regression_cnn.yaml"  # not there where one works
    words = ["--config", experiment, "--data.source=synthetic", *options, "--trainer.max_epochs=1"]
    assert main(["fit", *words, "--model.network.base_channels=2"]) == 0
    own = workplace / experiment
    own.parent.mkdir(parents=True)
    own.write_text((repository / experiment).read_text().replace("base_channels: 32", "base_channels: 3"))
    assert main(["fit", *words]) == 0  # what is there comes first
    sizes = [
        load_task(path).network.base_channels
        for path in sorted(workplace.glob("lightning_logs/*/*/checkpoints/last.ckpt"))
    ]
    assert sizes == [2, 3]


def test_last_checkpoint_is_the_last_epochs(tiny_fit: Callable[..., Path]) -> None:
    # The loss only rises, so the first epoch stays the best.
    climb = ("--model.optimizer=SGD", "--model.optimizer.lr=1", "--model.optimizer.maximize=true")
    folder = tiny_fit(FIT, *climb, SMALL, "--trainer.max_epochs=3")
    best, last = (
        torch.load(folder / "checkpoints" / f"{name}.ckpt", weights_only=True) for name in ("best", "last")
    )
    assert (best["epoch"], last["epoch"]) == (0, 2)
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]


def test_validate_repeats_the_fits_figures(tiny_fit: Callable[..., Path], workplace: Path) -> None:
    folder = tiny_fit(FIT, SMALL)
    checkpoint = str(folder / "checkpoints" / "last.ckpt")
    for command in ("validate", "test"):
        options = ["--config", str(folder / "config.yaml"), "--ckpt_path", checkpoint]
        assert main([command, *options, "--data.eval_batch_size=3"]) == 0
    of_fit = json.loads((folder / "metrics.json").read_text())
    of_validate = json.loads((folder.with_name("version_1") / "metrics.json").read_text())
    assert set(of_validate) == {name for name in of_fit if name.startswith(("val/", "baseline/"))}
    for name, value in of_validate.items():  # whatever the batch size
        assert value == pytest.approx(of_fit[name], rel=1e-4)
    of_test = json.loads((folder.with_name("version_2") / "metrics.json").read_text())
    assert {name.replace("test/", "val/") for name in of_test} == set(of_validate)


def save(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(path)


def test_predict_writes_a_png_for_each_image(tiny_fit: Callable[..., Path], workplace: Path) -> None:
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
    written = sorted(path.relative_to("out").as_posix() for path in Path("out").rglob("*.png"))
    assert written == ["a.png", "deep/er.jpg.png", "deep/er.png.png"]
    task = load_task(folder / "checkpoints" / "last.ckpt")
    for name, output in (("test/a.png", "a.png"), ("test/deep/er.png", "deep/er.png.png")):
        pixels = torch.from_numpy(np.array(Image.open(workplace / "photos" / name))).permute(2, 0, 1)
        expected = task(pixels[None].float().mean(dim=1, keepdim=True) / 255)[0]
        found = torch.from_numpy(np.array(Image.open(Path("out") / output))).permute(2, 0, 1)
        torch.testing.assert_close(found.float() / 255, expected, atol=0.6 / 255, rtol=0)


def test_resume_goes_on_after_the_last_epoch(tiny_fit: Callable[..., Path]) -> None:
    first = tiny_fit(FIT, SMALL)
    resumed = tiny_fit(
        FIT, SMALL, "--ckpt_path", str(first / "checkpoints" / "last.ckpt"), "--trainer.max_epochs=3"
    )
    straight = tiny_fit(FIT, SMALL, "--trainer.max_epochs=3")
    expected = weights(straight)
    assert all(torch.equal(value, expected[name]) for name, value in weights(resumed).items())
    for folder in (resumed, straight):
        epochs = [line.split(",")[0] for line in (folder / "metrics.csv").read_text().splitlines()]
        assert epochs == ["epoch", "0", "1", "2"]


def test_network_of_another_project(
    tiny_fit: Callable[..., Path], workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A class path and its arguments suffice, also for a class that stores none of them."""
    (workplace / "elsewhere.py").write_text(
        "from torch import nn\n"
        "class Tiny(nn.Module):\n"
        "    def __init__(self, colours: int, width: int = 3):\n"
        "        super().__init__()\n"
        "        self.layers = nn.Sequential(nn.Conv2d(1, width, 1), nn.ReLU(), nn.Conv2d(width, colours, 1))\n"
        "    def forward(self, images):\n"
        "        return self.layers(images)\n"
    )
    monkeypatch.setattr(sys, "path", [*sys.path])
    folder = tiny_fit(
        FIT, "--model.network=elsewhere.Tiny", "--model.network.colours=24", "--model.network.width=5"
    )
    task = load_task(folder / "checkpoints" / "last.ckpt", allow_import=["elsewhere"])
    assert type(task.network).__name__ == "Tiny"
    assert task(torch.rand(1, 1, 9, 9)).shape == (1, 3, 9, 9)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--data.source=folder", "--data.root=nowhere"], ["nowhere", "expected", "found nothing"]),
        (["--data.category=zebra", "--data.source=cifar10"], ["zebra", "horse"]),
        (["--model.palette=none.json"], ["none.json", "imgcolor palette"]),
        (["--model.palette=16"], ["16", "24", "number of colours"]),
        (["--data.batch_size=0"], ["data.batch_size", "at least 1"]),
        (["--ckpt_path=none.ckpt"], ["none.ckpt"]),
        (["--model.network.kernel_size=4"], ["kernel_size", "odd"]),
        (["--images.count=0"], ["images.count"]),
        (["--model.label_smoothing=2"], ["label_smoothing", "[0, 1)"]),
        (
            ["--trainer.callbacks=EpsilonPatience", "--trainer.callbacks.patience=-1"],
            ["patience", "0 or more"],
        ),
    ],
)
def test_bad_values_are_told_in_one_line(
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


TINY_DATA = ["--data.train_images=20", "--data.val_images=10", "--trainer.enable_progress_bar=false"]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("batch_size:", "batchsize:", ["batchsize"]),
        ("max_epochs:", "maxepochs:", ["maxepochs"]),
        ("lr: 0.003", "lr: fast", ["model.optimizer.lr: expected float, found fast"]),
        ("lr: 0.003", "learning_rate: 0.1", ["model.optimizer.learning_rate: Adam has no such option", "lr"]),
        ("torch.optim.Adam", "torch.optim.Adamm", ["model.optimizer: module 'torch.optim' has no", "Adamm"]),
        (
            "base_channels: 16",
            "base_channels: many",
            ["model.network.base_channels: expected int, found many"],
        ),
        ("every_n_epochs: 1", "every_n_epoch: 1", ["images.every_n_epoch", "did you mean every_n_epochs?"]),
        ("imgcolor.networks.ColourUNet", "imgcolor.networks.ColorUNet", ["ColorUNet"]),
        ("max_epochs: 6", "max_epochs: [", []),
    ],
)
def test_mistyped_config_is_told_in_one_line(
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


def test_overrides_that_have_nothing_to_override(
    workplace: Path, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", "--data.source=synthetic"]) == 2
    assert "--config FILE" in capsys.readouterr().err
    assert main(["fit", "--config", str(repository / FIT), "--model.network=ColorUNet"]) == 2
    line = capsys.readouterr().err
    assert "model.network" in line
    assert "did you mean ColourUNet?" in line


def test_debug_gives_the_exception(workplace: Path) -> None:
    with pytest.raises(imgcolor.utils.errors.ImgcolorError):
        main(["paint", "--debug"])
    assert main(["paint"]) == 1


def test_palette_command(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
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


def test_fit_with_a_palette_file(tiny_fit: Callable[..., Path], workplace: Path) -> None:
    assert main(["palette", "--colours=7", "--output=seven.json"]) == 0
    folder = tiny_fit(FIT, SMALL, "--model.palette=seven.json", "--model.network.out_channels=7")
    colours = weights(folder)["palette.colours"]
    expected = json.loads(Path("seven.json").read_text())["centroids"]
    torch.testing.assert_close(colours, torch.tensor(expected))


def test_output_that_nobody_reads_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        [sys.executable, "-m", "imgcolor", "--help"],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, "")


@pytest.mark.parametrize(
    ("precision", "has_bfloat16", "told"),
    [("bf16-mixed", False, True), ("bf16-mixed", True, False), ("32-true", False, False)],
)
def test_a_processor_that_imitates_bfloat16_is_told_of(
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
