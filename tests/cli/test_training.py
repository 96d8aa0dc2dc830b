import csv
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from matplotlib.axes import Axes
from PIL import Image

import imgcolor
from imgcolor.cli.main import main
from imgcolor.tasks import load_task

FIT = "experiments/horses/colour_unet.yaml"
SMALL = "--model.network.base_channels=4"
TINY_DATA = [
    "--data.source=synthetic",
    "--data.train_images=20",
    "--data.val_images=10",
    "--trainer.enable_progress_bar=false",
]

NEVER_BETTER = ["--trainer.callbacks.patience=1", "--trainer.callbacks.min_delta=9"]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    checkpoint = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    state: dict[str, torch.Tensor] = checkpoint["state_dict"]
    return state


def test_help_lists_the_options_of_networks(capsys: pytest.CaptureFixture[str]) -> None:
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


def test_network_optimizer_and_scheduler_by_class_name(tiny_fit: Callable[..., Path]) -> None:
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


def test_fit_prints_where_its_files_are(
    tiny_fit: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tiny_fit(FIT, SMALL)
    out = capsys.readouterr().out
    relative = "lightning_logs/horses_colour_unet/version_0"
    assert folder.as_posix().endswith(relative)
    for line in (relative, f"{relative}/images/epoch_0001.png", f"{relative}/checkpoints/last.ckpt"):
        assert line in out
    assert "--logdir lightning_logs/horses_colour_unet" in out


def test_profiler_table_is_logged(tiny_fit: Callable[..., Path], caplog: pytest.LogCaptureFixture) -> None:
    tiny_fit(FIT, SMALL, "--trainer.profiler=simple")
    assert "run_training_batch" in caplog.text  # Lightning's loggers write it to the terminal


def test_same_seed_gives_the_same_weights(tiny_fit: Callable[..., Path]) -> None:
    first = weights(tiny_fit(FIT, SMALL, "--model.network.dropout=0.2"))
    torch.rand(3)  # what ran before must not matter
    second = weights(tiny_fit(FIT, SMALL, "--model.network.dropout=0.2"))
    assert all(torch.equal(first[name], second[name]) for name in first)
    other = weights(tiny_fit(FIT, SMALL, "--model.network.dropout=0.2", "--seed_everything=1"))
    assert not torch.equal(first["network.finalconv.weight"], other["network.finalconv.weight"])


def test_saved_configuration_repeats_the_run(tiny_fit: Callable[..., Path], workplace: Path) -> None:
    first = tiny_fit(FIT, SMALL)
    assert main(["fit", "--config", str(first / "config.yaml")]) == 0
    again = weights(workplace / "lightning_logs" / "horses_colour_unet" / "version_1")
    assert all(torch.equal(value, again[name]) for name, value in weights(first).items())


def test_save_dir_moves_the_run_folder(workplace: Path, repository: Path) -> None:
    options = [*TINY_DATA, "--trainer.max_epochs=1", SMALL, "--trainer.logger.init_args.save_dir=elsewhere"]
    assert main(["fit", "--config", str(repository / FIT), *options]) == 0
    assert (workplace / "elsewhere" / "horses_colour_unet" / "version_0" / "metrics.json").is_file()
    assert not (workplace / "lightning_logs").exists()


def test_resume_with_validation_in_every_second_epoch(tiny_fit: Callable[..., Path]) -> None:
    options = (SMALL, "--trainer.check_val_every_n_epoch=2")
    first = tiny_fit(FIT, *options)
    last = str(first / "checkpoints" / "last.ckpt")
    resumed = tiny_fit(FIT, *options, "--ckpt_path", last, "--trainer.max_epochs=4")
    with (resumed / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1", "2", "3"]
    assert [row["val/loss"] != "" for row in rows] == [False, True, False, True]
    assert all(float(row["lr"]) == 0.001 and 0 < float(row["seconds"]) < 60 for row in rows)


def test_packaged_experiment_is_found(workplace: Path, repository: Path) -> None:
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


def test_last_checkpoint_has_the_last_epoch(tiny_fit: Callable[..., Path]) -> None:
    # The loss only rises, so the first epoch stays the best.
    climb = ("--model.optimizer=SGD", "--model.optimizer.lr=1", "--model.optimizer.maximize=true")
    folder = tiny_fit(FIT, *climb, SMALL, "--trainer.max_epochs=3")
    best, last = (
        torch.load(folder / "checkpoints" / f"{name}.ckpt", weights_only=True) for name in ("best", "last")
    )
    assert (best["epoch"], last["epoch"]) == (0, 2)
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]


def test_validate_and_test_repeat_the_metrics_of_fit(tiny_fit: Callable[..., Path], workplace: Path) -> None:
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


def test_resume_continues_after_the_last_epoch(tiny_fit: Callable[..., Path]) -> None:
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


def test_a_resumed_run_with_nothing_left_has_the_files_of_the_run(tiny_fit: Callable[..., Path]) -> None:
    first = tiny_fit(FIT, SMALL)
    again = tiny_fit(FIT, SMALL, "--ckpt_path", str(first / "checkpoints" / "last.ckpt"))
    for name in ("metrics.csv", "checkpoints/last.ckpt", "checkpoints/best.ckpt"):
        assert (again / name).is_file()
    assert (again / "metrics.csv").read_text() == (first / "metrics.csv").read_text()


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


def test_network_that_halves_its_maps_colours_photos_of_any_size(
    tiny_fit: Callable[..., Path], workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workplace / "halving.py").write_text(
        "import torch\n"
        "from torch import nn\n"
        "class Halving(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.down = nn.Conv2d(1, 4, 2, stride=2)\n"
        "        self.up = nn.Upsample(scale_factor=2)\n"
        "        self.last = nn.Conv2d(5, 3, 1)\n"
        "    def forward(self, grey):\n"
        "        return self.last(torch.cat([grey, self.up(self.down(grey))], dim=1))\n"
    )
    monkeypatch.setattr(sys, "path", [*sys.path])
    folder = tiny_fit("experiments/horses/regression_cnn.yaml", "--model.network=halving.Halving")
    Image.linear_gradient("L").resize((57, 43)).save("photo.png")
    model = str(folder / "checkpoints" / "last.ckpt")
    options = ["--model", model, "--allow-import", "halving", "--output", "out"]
    assert main(["colourize", "photo.png", *options]) == 0
    assert Image.open("out/photo.png").size == (57, 43)
    assert main(["colourize", "photo.png", *options, "--scale", "native", "--overwrite"]) == 0


def test_table_of_a_fit_marks_each_metric_and_names_the_baseline_once(
    tiny_fit: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    tiny_fit("experiments/quickstart.yaml", "--trainer.max_epochs=1", "--model.network.hidden_channels=[2]")
    lines = capsys.readouterr().out.splitlines()
    table = lines[lines.index(next(line for line in lines if line.startswith("1 epoch "))) :]
    assert sum("grey_row_lookup" in line for line in table) == 1
    rows = {
        line.split()[0]: line.split()[1:] for line in table if "better" in line.split() or "worse" in line
    }
    names = ["loss", "accuracy", "mse", "psnr", "margin12", "ssim", "delta_e", "colourfulness"]
    assert list(rows) == names
    assert all(rows[name][0] == ("↓" if name in ("loss", "mse", "delta_e") else "↑") for name in names[:-1])
    for name, row in rows.items():
        if name != "colourfulness":
            mark = next(i for i, cell in enumerate(row) if cell in ("better", "worse"))
            value, reference = float(row[mark - 1]), float(row[mark + 1])
            assert (value > reference) == ((row[0] == "↑") == (row[mark] == "better"))
    wins = sum("better" in row for row in rows.values())
    sentence = next(line for line in table if "beats" in line)
    assert sentence.startswith(f"the network beats the best baseline in {wins} of 8 metrics")


def test_curves_fit_a_screen_and_have_the_best_baseline(
    tiny_fit: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    values: list[float] = []
    draw = Axes.axhline

    def note(panel: Axes, value: float, **options: object) -> object:
        values.append(value)
        return draw(panel, value, **options)

    monkeypatch.setattr(Axes, "axhline", note)
    folder = tiny_fit(FIT, SMALL)
    width, height = Image.open(folder / "curves.png").size
    assert width <= 1200
    assert height > 600  # two rows
    metrics = json.loads((folder / "metrics.json").read_text())
    for metric, best in (("loss", min), ("psnr", max), ("accuracy", max)):
        found = [v for name, v in metrics.items() if re.fullmatch(f"baseline/\\w+/{metric}", name)]
        assert best(found) in values
    assert min(Image.open(folder / "images" / "epoch_0001.png").size) >= 4 * 96


@pytest.mark.parametrize(
    ("options", "length", "reason"),
    [
        (
            ["--trainer.max_time=00:00:00:00", "--trainer.min_steps=4"],
            "1 epoch and 1 of 3 batches",
            "max_time",
        ),
        (["--trainer.max_steps=2"], "2 of 3 batches", "max_steps 2"),
        (
            ["--trainer.callbacks=EarlyStopping", "--trainer.callbacks.monitor=val/loss", *NEVER_BETTER],
            "2 epochs",
            "EarlyStopping: Monitored metric val/loss did not improve",
        ),
    ],
)
def test_summary_says_why_the_fit_stopped(
    tiny_fit: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    length: str,
    reason: str,
) -> None:
    tiny_fit(FIT, SMALL, "--trainer.max_epochs=9", *options)
    out = capsys.readouterr().out
    assert f"{length} (↑" in out
    (line,) = [line for line in out.splitlines() if line.startswith("  stopped ")]
    assert reason in line
    assert "too few" not in out
