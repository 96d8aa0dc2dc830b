"""Untrusted checkpoints, palettes and configurations that try to run code or to take all memory."""

import json
import pickle
import random
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

import imgcolor
from imgcolor.checkpoints import load_parts
from imgcolor.cli.main import main
from imgcolor.colour import Palette
from imgcolor.data import MeanGrey
from imgcolor.networks import ColourUNet, ConvStack
from imgcolor.tasks import ColourClassification, ColourRegression, ColourTask, load_task
from imgcolor.utils.errors import ImgcolorError

MODULE = """
from pathlib import Path
from torch import nn

Path("imported").touch()

class Net(nn.Module):
    def __init__(self, width: int = 3):
        super().__init__()
        Path("built").touch()
        self.width = width
        self.layers = nn.Sequential(nn.Conv2d(1, width, 1), nn.Conv2d(width, 3, 1))

    def forward(self, images):
        return self.layers(images)

class NoModule:
    def __init__(self, *_, **__):
        Path("built").touch()

def function(*_, **__):
    Path("built").touch()
"""


@pytest.fixture
def stranger(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with an untrusted module that creates files when it is imported or called."""
    (workplace / "stranger.py").write_text(MODULE)
    Image.linear_gradient("L").resize((20, 16)).save(workplace / "a.png")
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    monkeypatch.delitem(sys.modules, "stranger", raising=False)
    return workplace


def traces() -> list[str]:
    return [name for name in ("imported", "built", "executed") if Path(name).exists()]


def content_of(task: ColourTask) -> dict[str, Any]:
    task.degradation = MeanGrey()
    content: dict[str, Any] = {
        "pytorch-lightning_version": "2.6.0",
        "epoch": 0,
        "global_step": 0,
        "state_dict": task.state_dict(),
    }
    task.on_save_checkpoint(content)
    return content


def network_config(content: dict[str, Any]) -> dict[str, Any]:
    config: dict[str, Any] = content["imgcolor"]["network"]
    return config


def saved(content: Any, path: Path = Path("file.ckpt")) -> Path:
    torch.save(content, path)
    return path


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err.strip().splitlines()[-1]


class Attack:
    """An object that runs code when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("executed"),))


HORSES = "experiments/horses/regression_cnn.yaml"
TINY = ["--data.source=synthetic", "--data.train_images=8", "--data.val_images=4"]

FROM_CHECKPOINT = {
    "colourize": ["colourize", "a.png", "--model", "file.ckpt"],
    "upscale": ["upscale", "a.png", "--model", "file.ckpt"],
    "export": ["export", "file.ckpt", "--format", "torchscript"],
    "activations": ["activations", "file.ckpt", "a.png"],
}


def by_configuration(command: str, repository: Path, *options: str) -> list[str]:
    return [command, "--config", str(repository / HORSES), "--ckpt_path=file.ckpt", *TINY, *options]


# --- pickles ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["torch", "torch_old", "pickle"])
def test_pickled_code_in_a_checkpoint_is_refused(
    kind: str, stranger: Path, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = content_of(ColourRegression(ColourUNet(3, 2))) | {"callbacks": Attack()}
    if kind == "pickle":
        Path("file.ckpt").write_bytes(pickle.dumps(content))
    else:
        torch.save(content, "file.ckpt", _use_new_zipfile_serialization=kind == "torch")
    commands = [*FROM_CHECKPOINT.values(), [*FROM_CHECKPOINT["colourize"], "--allow-import", "pathlib"]]
    if kind == "torch":
        # With this option, Lightning alone would run the code.
        lightning = ("fit", "validate", "test", "predict")
        commands += [by_configuration(command, repository, "--weights_only=false") for command in lightning]
    for words in commands:
        assert main(words) == 1, words
        line = last_line(capsys)
        assert "file.ckpt" in line
        assert "could run code" in line
    for load in (imgcolor.load, load_task, ColourRegression.load_from_checkpoint):
        with pytest.raises(ImgcolorError, match="could run code"):
            load("file.ckpt")
    assert traces() == []


def test_a_file_named_like_a_keyword_of_lightning_is_validated_too(
    stranger: Path, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved({"state_dict": Attack()}, Path("best"))
    words = by_configuration("fit", repository, "--ckpt_path=best", "--weights_only=false")
    assert main(words) == 1
    assert "could run code" in last_line(capsys)
    assert traces() == []


def test_estimations_and_palettes_are_not_unpickled(
    stranger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save("estimations.npy", np.array([Attack()], dtype=object), allow_pickle=True)
    np.savez("archive.npy", np.array([Attack()], dtype=object))
    Path("pickled.npy").write_bytes(pickle.dumps(Attack()))
    Path("names.txt").write_text("a.png\n")
    for name in ("estimations.npy", "archive.npy.npz", "pickled.npy"):
        assert main(["evaluate", name, "names.txt", "."]) == 1
        assert name in last_line(capsys)
        with pytest.raises(ImgcolorError, match=name):
            Palette.load(name)
    assert traces() == []


# --- classes ----------------------------------------------------------------------------------------------


def stranger_in(place: str) -> dict[str, Any]:
    """A checkpoint that names the untrusted class."""
    content = content_of(ColourRegression(ColourUNet(3, 2)))
    config = {"class_path": "stranger.Net", "init_args": {}}
    if place == "network":
        content["imgcolor"]["network"] = config
    elif place == "inside the network":
        network_config(content)["init_args"]["base"] = config
    elif place == "task":
        content["imgcolor"]["task"]["class_path"] = "stranger.Net"
    elif place in ("coding", "degradation"):
        content["imgcolor"][place] = config
    else:
        assert place == "hyperparameters"
        content["hyper_parameters"] = {"_class_path": "stranger.Net"}
    return content


@pytest.mark.parametrize("place", ["network", "inside the network", "task", "coding", "degradation"])
def test_an_untrusted_class_is_not_imported(
    place: str, stranger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved(stranger_in(place))
    sys.path.append(str(stranger))  # even where it could be
    for words in FROM_CHECKPOINT.values():
        assert main(words) == 1
        line = last_line(capsys)
        assert "file.ckpt: stranger.Net: expected a class of imgcolor or torch.nn" in line
        assert "--allow-import stranger " in line
        assert "allow_import=['stranger']" in line
    with pytest.raises(ImgcolorError, match=r"stranger\.Net"):
        imgcolor.load("file.ckpt", allow_import=["strange", "stranger.Network", "net"])
    assert traces() == []


@pytest.mark.parametrize(
    ("command", "place"),
    [
        ("validate", "network"),
        *((name, "hyperparameters") for name in ("fit", "validate", "test", "predict")),
    ],
)
def test_no_class_of_a_checkpoint_replaces_the_configurations_class(
    command: str, place: str, stranger: Path, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved(stranger_in(place))
    assert main(by_configuration(command, repository)) == 1
    assert "file.ckpt" in last_line(capsys)
    assert traces() == []
    assert not Path("lightning_logs").exists()


@pytest.mark.parametrize(
    "path",
    ["os.system", "imgcolor.__main__.main", "imgcolor", "torch.hub.load", "torch.nnx.Net", "Net", "", "."],
)
def test_only_classes_of_trusted_packages_are_built(path: str, workplace: Path) -> None:
    content = content_of(ColourRegression(ColourUNet(3, 2)))
    network_config(content)["class_path"] = path
    with pytest.raises(ImgcolorError, match=r"expected a class of imgcolor or torch\.nn"):
        load_task(saved(content))


@pytest.mark.parametrize(
    "path",
    ["torch.nn.functional.conv2d", "imgcolor.data.sources.FolderSource", "torch.nn.Nothing", "torch.nn"],
)
def test_of_trusted_packages_only_modules_are_built(path: str, workplace: Path) -> None:
    content = content_of(ColourRegression(ColourUNet(3, 2)))
    network_config(content)["class_path"] = path
    with pytest.raises(ImgcolorError, match=r"class of a torch module|cannot import"):
        load_task(saved(content))


def test_classes_that_the_user_allows(stranger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sys.path.append(str(stranger))
    import stranger as module  # type: ignore[import-not-found]

    saved(content_of(ColourRegression(module.Net(4))))
    sys.path.remove(str(stranger))
    for option in ("--allow-import=stranger", "--allow-import=stranger.Net"):
        for name in ("colourize", "activations", "export"):
            del sys.modules["stranger"]
            more = [] if name == "activations" else ["--overwrite"]
            words = [*FROM_CHECKPOINT[name], *more, "--allow-import", "nothing.else", option]
            assert main(words) == 0, capsys.readouterr().err
            sys.path.remove(str(stranger))  # only for this command was it there
    sys.path.append(str(stranger))
    grey = torch.rand(1, 3, 3)
    expected = load_task("file.ckpt", allow_import="stranger")(grey[None])[0].clamp(0, 1)
    pipeline = imgcolor.load("file.ckpt", allow_import=["stranger.Net"])
    coloured: Tensor = pipeline.run_network(grey[None])[0].clamp(0, 1)
    torch.testing.assert_close(coloured, expected)


def test_networks_of_torch_are_loaded(workplace: Path) -> None:
    content = content_of(ColourRegression(torch.nn.Conv2d(1, 3, 1)))
    network = {"in_channels": 1, "out_channels": 3, "kernel_size": 1}
    content["imgcolor"]["network"] = {
        "class_path": "torch.nn.modules.conv.Conv2d",
        "init_args": network,
    }
    assert type(load_task(saved(content)).network) is torch.nn.Conv2d


def test_the_users_own_configuration_needs_no_permission(
    stranger: Path, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The network is built from the configuration, not from the checkpoint."""
    options = [*TINY, "--model.network=stranger.Net", "--model.network.width=2", "--trainer.max_epochs=1"]
    options += ["--trainer.enable_progress_bar=false"]
    assert main(["fit", "--config", str(repository / HORSES), *options]) == 0
    (run,) = Path("lightning_logs").glob("*/version_0")
    words = ["--config", str(run / "config.yaml"), "--ckpt_path", str(run / "checkpoints" / "last.ckpt")]
    assert main(["validate", *words]) == 0
    assert main(["colourize", "a.png", "--model", words[-1]]) == 1
    assert "--allow-import stranger " in last_line(capsys)


# --- configurations ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("model.network", "os.system"),
        ("model.network", "stranger.NoModule"),
        ("model.optimizer", "os.system"),
        ("model.optimizer", "stranger.NoModule"),
        ("data.augmentation", "stranger.NoModule"),
    ],
)
def test_a_configuration_builds_nothing_of_another_kind(
    key: str, name: str, stranger: Path, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its classes are imported, as SECURITY.md says, but only those of the expected kind are called."""
    section, _, option = key.partition(".")
    Path("config.yaml").write_text(json.dumps({section: {option: {"class_path": name}}}))
    words = ["fit", "--config", str(repository / HORSES), "--config", "config.yaml", *TINY]
    assert main(words) == 2
    assert key in last_line(capsys)
    assert "built" not in traces()


def test_yaml_builds_no_python_objects(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("!!python/object/apply:os.system ['touch executed']", "!!python/name:os.system"):
        Path("config.yaml").write_text(f"model: {text}\n")
        for words in (["fit", "--config", "config.yaml"], ["sweep", "config.yaml"]):
            assert main(words) in (1, 2)
            assert "config.yaml" in last_line(capsys)
    assert traces() == []


# --- damage and too much ----------------------------------------------------------------------------------


def unet(content: dict[str, Any], **changes: Any) -> dict[str, Any]:
    network_config(content)["init_args"].update(changes)
    return content


def deep(levels: int) -> dict[str, Any]:
    config: dict[str, Any] = {"class_path": "torch.nn.Identity", "init_args": {}}
    for _ in range(levels):
        config = {"class_path": "imgcolor.networks.ResidualUNet", "init_args": {"base": config}}
    return config


def wide(levels: int) -> dict[str, Any]:
    """A config of few dictionaries in the file, which describes 2 to the power of ``levels`` modules."""
    config: dict[str, Any] = {"class_path": "torch.nn.Identity", "init_args": {}}
    for _ in range(levels):
        config = {"class_path": "torch.nn.Identity", "init_args": {"a": config, "b": config}}
    return config


def circle() -> dict[str, Any]:
    config: dict[str, Any] = {"class_path": "torch.nn.Identity", "init_args": {}}
    config["init_args"]["again"] = config
    return config


def with_part(key: str, value: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda content: content | {"imgcolor": content["imgcolor"] | {key: value}}


def with_network(config: Any) -> Callable[[dict[str, Any]], Any]:
    def change(content: dict[str, Any]) -> dict[str, Any]:
        content["imgcolor"]["network"] = config
        return content

    return change


def stack(**arguments: int) -> dict[str, Any]:
    return {"class_path": "imgcolor.networks.ConvStack", "init_args": arguments}


TOO_MUCH: dict[str, Callable[[dict[str, Any]], Any]] = {
    "channels": lambda content: unet(content, base_channels=1_000_000),
    "overflow": lambda content: unet(content, base_channels=10**30),
    "layers": with_network(stack(layers=10**12)),
    "kernels": with_network(stack(kernel_size=1_000_001)),
    "blocks": with_network(
        {
            "class_path": "imgcolor.networks.ResidualUNet",
            "init_args": {"hidden_channels": [8] * 9000, "blocks": 9000},
        }
    ),
    "a linear layer": with_network(
        {"class_path": "torch.nn.Linear", "init_args": {"in_features": 10**7, "out_features": 10**7}}
    ),
    "configs in configs": with_network(deep(5000)),
    "the same config again and again": with_network(wide(60)),
    "a config in itself": with_network(circle()),
    "image size": with_part("image_size", 10**9),
    "strides of 0": lambda content: (
        content | {"state_dict": {"network.a": torch.zeros(1).expand(10**6, 10**6)}}
    ),
    "no config": with_part("task", [1]),
    "no class": with_part("task", {"class_path": 5, "init_args": {}}),
    "no arguments": with_part("task", {"class_path": "imgcolor.tasks.ColourRegression"}),
    "another network": with_network("ColourUNet"),
    "another degradation": with_part("degradation", 3),
    "no task": with_part("task", {"class_path": "torch.nn.Identity", "init_args": {}}),
    "a tensor as argument": lambda content: unet(content, base_channels=torch.zeros(1)),
    "text as argument": lambda content: unet(content, base_channels="many"),
    "unknown argument": lambda content: unet(content, colour="red"),
    "weights without names": lambda content: content | {"state_dict": [1]},
    "weights that are none": lambda content: content | {"state_dict": {"network.a": 1}},
    "list": lambda content: content | {"imgcolor": []},
}


@pytest.mark.parametrize("what", TOO_MUCH)
def test_a_checkpoint_that_no_fit_wrote_is_refused(what: str, workplace: Path) -> None:
    content = TOO_MUCH[what](content_of(ColourRegression(ColourUNet(3, 2))))
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)  # for writing it
    try:
        saved(content)
    finally:
        sys.setrecursionlimit(limit)
    # A model without a task can be used; it cannot be trained.
    for load in (load_task,) if what == "no task" else (load_task, load_parts, imgcolor.load):
        with pytest.raises(ImgcolorError, match=r"^file\.ckpt"):
            load("file.ckpt")


@pytest.mark.parametrize("part", ["task", "coding"])
def test_a_palette_larger_than_the_files_weights_is_refused(part: str, workplace: Path) -> None:
    content = content_of(ColourClassification(ColourUNet(5, 2), palette=5))
    content["imgcolor"][part]["init_args"]["palette"]["init_args"]["size"] = 10**12
    saved(content)
    for load in (load_task,) if part == "task" else (load_task, load_parts):
        with pytest.raises(ImgcolorError, match=r"^file\.ckpt: its weights do not fit"):
            load("file.ckpt")


def test_a_coding_of_another_kind_is_refused(workplace: Path) -> None:
    content = content_of(ColourRegression(ColourUNet(3, 2)))
    content["imgcolor"]["coding"] = {"class_path": "torch.nn.Identity", "init_args": {}}
    with pytest.raises(ImgcolorError, match="expected the config of an output coding"):
        load_parts(saved(content))


@pytest.mark.parametrize(
    ("change", "hint"), [({"format": 1}, "train"), ({}, "train"), ({"format": 3}, "update imgcolor")]
)
def test_a_checkpoint_of_another_format_is_refused_in_one_line(
    change: dict[str, int], hint: str, workplace: Path
) -> None:
    content = content_of(ColourRegression(ColourUNet(3, 2)))
    del content["imgcolor"]["format"]
    content["imgcolor"] |= change
    saved(content)
    for load in (load_task, load_parts, imgcolor.load):
        with pytest.raises(ImgcolorError, match=rf"^file\.ckpt: expected .* format 2, found .*{hint}[^\n]*$"):
            load("file.ckpt")


def test_a_checkpoint_cannot_have_an_endless_device_read(workplace: Path) -> None:
    content = content_of(ColourClassification(ColourUNet(5, 2), palette=5))
    for part, load in (("task", load_task), ("coding", load_parts)):
        content["imgcolor"][part]["init_args"]["palette"] = "/dev/zero"
        with pytest.raises(ImgcolorError, match="/dev/zero"):
            load(saved(content))


def test_a_compressed_checkpoint_is_refused(workplace: Path) -> None:
    """The file would be much larger in memory."""
    saved(content_of(ColourRegression(ConvStack(1, 2))), Path("plain.ckpt"))
    with (
        zipfile.ZipFile("plain.ckpt") as plain,
        zipfile.ZipFile("file.ckpt", "w", zipfile.ZIP_DEFLATED) as bomb,
    ):
        for entry in plain.infolist():
            bomb.writestr(entry.filename, plain.read(entry) + bytes(2**24 * entry.filename.endswith("/0")))
    with pytest.raises(ImgcolorError, match="would become"):
        load_task("file.ckpt")


def test_a_tensor_that_is_marked_as_a_folder_is_refused(workplace: Path) -> None:
    """Torch does not read such an entry, and returns uninitialized memory."""
    saved(content_of(ColourRegression(ConvStack(1, 2))), Path("plain.ckpt"))
    with zipfile.ZipFile("plain.ckpt") as plain, zipfile.ZipFile("file.ckpt", "w") as marked:
        for entry in plain.infolist():
            content = plain.read(entry)
            entry.external_attr = 0x10
            marked.writestr(entry, content)
    with pytest.raises(ImgcolorError, match="damaged"):
        load_task("file.ckpt")


def check_damaged_checkpoints(count: int) -> None:
    path = saved(content_of(ColourRegression(ConvStack(1, 2))))
    data = path.read_bytes()
    weights = load_task(path).state_dict()
    for seed in range(count):
        chance = random.Random(seed)
        damaged = bytearray(data)
        for _ in range(chance.randint(1, 3)):
            damaged[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        refused = ""
        try:
            found = load_task(path).state_dict()
        except ImgcolorError as error:
            refused = str(error)
        if refused:
            assert refused.startswith("file.ckpt: ")
        else:
            assert all(torch.equal(value, weights[name]) for name, value in found.items()), f"seed {seed}"


def test_damaged_checkpoints_are_refused_or_right(workplace: Path) -> None:
    check_damaged_checkpoints(60)


@pytest.mark.slow
def test_thousands_of_damaged_checkpoints_are_refused_or_right(workplace: Path) -> None:
    check_damaged_checkpoints(3000)


def test_damaged_estimations_are_refused_or_scored(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (8, 8)).save("a.png")
    Path("names.txt").write_text("a.png\n")
    np.save("estimations.npy", np.zeros((1, 8, 8, 3), np.uint8))
    data = Path("estimations.npy").read_bytes()
    refused = 0
    for seed in range(150):
        chance = random.Random(seed)
        damaged = bytearray(data)
        place = chance.randrange(128)  # the header
        damaged[place : place + 3] = chance.choice([b"9" * 3, b"(((", bytes(3), chance.randbytes(3), b""])
        Path("estimations.npy").write_bytes(damaged)
        status = main(["evaluate", "estimations.npy", "names.txt", "."])
        refused += status
        assert status == 0 or any(name in last_line(capsys) for name in ("estimations.npy", "a.png"))
    assert refused > 100


numbers = st.one_of(st.integers(), st.floats(), st.integers(0, 1), st.just(10**400))
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(["centroids", "scale", "a"]), inner, max_size=3),
    ),
)
near_palettes = st.fixed_dictionaries(
    {
        "centroids": st.lists(st.lists(numbers, min_size=2, max_size=4), max_size=4),
        "scale": st.sampled_from(["unit", "pixel", "pixel/256", "x", None, [], {}]),
    }
)


@settings(max_examples=150, deadline=None)
@given(content=st.one_of(anything, near_palettes))
def test_any_json_is_a_palette_or_refused(content: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("palette") / "palette.json"
    sys.set_int_max_str_digits(0)
    path.write_text(json.dumps(content))
    sys.set_int_max_str_digits(4300)
    refused = ""
    try:
        colours = Palette.load(path).colours
    except ImgcolorError as error:
        refused = str(error)
    assert refused.startswith(f"{path}: ") or ((colours >= 0) & (colours <= 1)).all()
