import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn

from imgcolor.checkpoints import from_config, get_config, load_parts, set_config
from imgcolor.cli.main import main
from imgcolor.data import HorseColourizationDataModule, MeanGrey
from imgcolor.networks import ColourCNN, ColourUNet, RegressionCNN
from imgcolor.networks.flip_tta import run_network
from imgcolor.tasks import ColourClassification, ColourRegression, ColourTask, load_task
from imgcolor.utils.errors import ImgcolorError


class Scaled(nn.Module):
    """A network of another project that stores its arguments, one of them a module."""

    def __init__(self, inner: nn.Module, factor: float = 2.0) -> None:
        super().__init__()
        self.inner = inner
        self.factor = factor

    def forward(self, images: Tensor) -> Tensor:
        return self.factor * self.inner(images)


class WithoutConfig(nn.Module):
    """A network that does not store its arguments."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer = nn.Conv2d(1, 3, width, padding="same")

    def forward(self, images: Tensor) -> Tensor:
        result: Tensor = self.layer(images)
        return result


def saved(task: ColourTask, folder: Path) -> Path:
    """Train for one epoch in Python, and save a checkpoint."""
    folder.mkdir(exist_ok=True)
    trainer = Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )
    trainer.fit(task, HorseColourizationDataModule(train_images=20, val_images=10, batch_size=10))
    path = folder / "task.ckpt"
    trainer.save_checkpoint(path)
    return path


@pytest.mark.parametrize(
    "make",
    [
        lambda: ColourClassification(ColourUNet(5, 4, dropout=0.1), palette=5, decoding="expectation"),
        lambda: ColourClassification(ColourCNN(7, 4, 5), palette=7, rebalancing=0.5, temperature=0.7),
        lambda: ColourRegression(RegressionCNN(4), criterion="l1"),
        lambda: ColourRegression(RegressionCNN(4), value_range="signed", flip_tta=True),
        lambda: ColourRegression(Scaled(ColourUNet(3, 2), factor=0.5)),
    ],
)
def test_python_round_trip_is_bit_for_bit(make: Callable[[], ColourTask], tmp_path: Path) -> None:
    task = make()
    path = saved(task, tmp_path)
    torch.load(path, weights_only=True)
    grey = torch.rand(3, 1, 32, 32)
    expected = task.eval()(grey)
    for load in (load_task, type(task).load_from_checkpoint):
        loaded = load(path, allow_import=[Scaled.__module__])
        assert type(loaded) is type(task)
        assert not loaded.training
        assert torch.equal(loaded(grey), expected)
        assert isinstance(loaded.degradation, MeanGrey)
        assert loaded.checkpoint_entry() == task.checkpoint_entry()
    parts = load_parts(path, allow_import=[Scaled.__module__])
    with torch.no_grad():
        output = run_network(parts.network, parts.coding.network_input(grey), flip_tta=parts.flip_tta)
    assert torch.equal(parts.coding.to_rgb(output), expected)
    assert isinstance(parts.degradation, MeanGrey)
    assert parts.image_size == 32


def test_command_line_round_trip_is_bit_for_bit(tiny_fit: Callable[..., Path]) -> None:
    """A task built by hand with the file's weights and the loaded task give the same images."""
    folder = tiny_fit("experiments/horses/colour_unet.yaml", "--model.network.base_channels=4")
    checkpoint = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    by_hand = ColourClassification(ColourUNet(24, 4), palette=24)
    by_hand.load_state_dict(checkpoint["state_dict"])
    grey = torch.rand(3, 1, 32, 32)
    loaded = load_task(folder / "checkpoints" / "last.ckpt")
    assert torch.equal(loaded(grey), by_hand.eval()(grey))
    assert isinstance(loaded.degradation, MeanGrey)


def test_from_config_inverts_get_config() -> None:
    network = Scaled(ColourUNet(5, 4), 0.25)
    config = get_config(network)
    assert config is not None
    again = from_config(config, allow_import=f"{Scaled.__module__}.Scaled")
    assert isinstance(again.inner, ColourUNet)
    assert (again.factor, again.inner.base_channels) == (0.25, 4)


def test_configs_name_public_class_paths() -> None:
    network = ColourUNet(5, 4)
    path = f"{ColourUNet.__module__}.ColourUNet"
    set_config(network, {"class_path": path, "init_args": {"out_channels": 5, "base_channels": 4}})
    task = ColourClassification(network, palette=5)
    task.degradation = MeanGrey()
    entry = task.checkpoint_entry()
    found = {part: entry[part]["class_path"] for part in ("task", "network", "coding", "degradation")}
    assert found == {
        "task": "imgcolor.tasks.ColourClassification",
        "network": "imgcolor.networks.ColourUNet",
        "coding": "imgcolor.colour.PaletteCoding",
        "degradation": "imgcolor.data.MeanGrey",
    }
    assert entry["task"]["init_args"]["palette"] == {
        "class_path": "imgcolor.colour.Palette",
        "init_args": {"size": 5},
    }


def test_network_without_config_is_passed_to_load_task(tmp_path: Path) -> None:
    task = ColourRegression(WithoutConfig(3))
    with pytest.warns(UserWarning, match="does not keep every constructor argument"):
        path = saved(task, tmp_path)
    with pytest.raises(ImgcolorError, match="network="):
        load_task(path)
    loaded = load_task(path, network=WithoutConfig(3))
    grey = torch.rand(1, 1, 8, 8)
    assert torch.equal(loaded(grey), task.eval()(grey))


def test_checkpoint_of_another_class(tmp_path: Path) -> None:
    path = saved(ColourRegression(RegressionCNN(4)), tmp_path)
    with pytest.raises(ImgcolorError, match=r"expected .* ColourClassification, found ColourRegression"):
        ColourClassification.load_from_checkpoint(path)


def test_resuming_from_another_checkpoint_is_refused_before_anything_is_written(
    tmp_path: Path, workplace: Path, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = saved(ColourRegression(RegressionCNN(4)), tmp_path)
    wide = saved(ColourClassification(ColourUNet(24, 4)), tmp_path / "wide")
    marker = tmp_path / "executed"
    (tmp_path / "text.ckpt").write_text("hello")
    (tmp_path / "pickle.ckpt").write_bytes(pickle.dumps(Attack(marker)))
    (tmp_path / "cut.ckpt").write_bytes(wide.read_bytes()[:5000])
    cases = {
        other: ["ColourRegression(RegressionCNN)", "ColourClassification(ColourUNet)"],
        wide: ["network.base_channels 4", "network.base_channels 32"],
        tmp_path / "text.ckpt": ["expected a checkpoint"],
        tmp_path / "pickle.ckpt": ["expected a checkpoint"],
        tmp_path / "cut.ckpt": ["damaged or cut short"],
        tmp_path / "missing.ckpt": ["found nothing"],
    }
    config = str(repository / "experiments" / "horses" / "colour_unet.yaml")
    for path, words in cases.items():
        capsys.readouterr()
        assert main(["fit", "--config", config, "--ckpt_path", str(path)]) == 1
        line = capsys.readouterr().err.strip().splitlines()[-1]
        assert line.startswith(f"imgcolor: error: {path}")
        assert all(word in line for word in words), line
        assert len(line) < 400
    assert not (workplace / "lightning_logs").exists()
    assert not marker.exists()


class Attack:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.marker,))


def test_files_that_are_no_checkpoints(tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    files: dict[str, tuple[Any, str]] = {
        "attack.ckpt": ({"imgcolor": Attack(marker)}, "could run code"),
        "other.ckpt": ({"state_dict": {}}, "another program's"),
        "list.ckpt": ([1, 2], "another program's"),
    }
    for name, (content, message) in files.items():
        torch.save(content, tmp_path / name)
        with pytest.raises(ImgcolorError, match=message):
            load_task(tmp_path / name)
    (tmp_path / "pickle.ckpt").write_bytes(pickle.dumps(Attack(marker)))
    (tmp_path / "text.ckpt").write_text("hello")
    (tmp_path / "empty.ckpt").touch()
    for name in ("pickle.ckpt", "text.ckpt", "empty.ckpt"):
        with pytest.raises(ImgcolorError, match=name):
            load_task(tmp_path / name)
    with pytest.raises(ImgcolorError, match="found nothing"):
        load_task(tmp_path / "missing.ckpt")
    assert not marker.exists()


@pytest.mark.parametrize("place", ["task", "network", "coding", "degradation"])
def test_config_cannot_call_any_function(place: str, tmp_path: Path) -> None:
    path = saved(ColourRegression(RegressionCNN(2)), tmp_path)
    content = torch.load(path, weights_only=True)
    attack = {"class_path": "os.system", "init_args": {"command": f"touch {tmp_path}/executed"}}
    content["imgcolor"][place] = attack
    torch.save(content, path)
    with pytest.raises(ImgcolorError, match=r"os\.system: expected a class of imgcolor"):
        load_task(path)
    with pytest.raises(ImgcolorError, match=r"os\.system: expected the class of a torch module"):
        load_task(path, allow_import=["os"])
    assert not (tmp_path / "executed").exists()


def test_truncated_file(tmp_path: Path) -> None:
    path = saved(ColourRegression(RegressionCNN(2)), tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ImgcolorError, match="damaged or cut short"):
        load_task(path)


class Weighted(ColourRegression):
    """A task that passes its other arguments on, and sets one itself."""

    def __init__(self, network: nn.Module, weight: float, **kwargs: Any) -> None:
        super().__init__(network, value_range="signed", **kwargs)
        self.weight = weight


class Heavier(Weighted):
    def __init__(self, network: nn.Module, **others: Any) -> None:
        super().__init__(network, 2.0, **others)


class Forgetful(Weighted):
    """A task that does not keep an argument."""

    def __init__(self, network: nn.Module, power: int, **kwargs: Any) -> None:
        super().__init__(network, float(power), **kwargs)


@pytest.mark.parametrize(
    "task", [Weighted(RegressionCNN(2), 0.5, criterion="l1"), Heavier(RegressionCNN(2), criterion="l1")]
)
def test_task_with_passed_arguments_is_loaded(task: Weighted, tmp_path: Path) -> None:
    path = saved(task, tmp_path)
    loaded = load_task(path, allow_import=__name__)
    assert type(loaded) is type(task)
    assert (loaded.weight, loaded.criterion, loaded.value_range) == (task.weight, "l1", "signed")
    assert type(task).load_from_checkpoint(path, criterion="mse").criterion == "mse"


def test_task_that_does_not_keep_an_argument_is_loaded_with_it(tmp_path: Path) -> None:
    with pytest.warns(
        UserWarning, match=r"power is missing.*Forgetful.load_from_checkpoint\(path, power=...\)"
    ):
        path = saved(Forgetful(RegressionCNN(2), 3), tmp_path)
    assert Forgetful.load_from_checkpoint(path, power=3).weight == 3
    with pytest.raises(ImgcolorError, match="missing 1 required positional argument: 'power'"):
        Forgetful.load_from_checkpoint(path)
    with pytest.raises(ImgcolorError, match=r"TASK.load_from_checkpoint\(path, ARGUMENT=...\)"):
        load_task(path)
