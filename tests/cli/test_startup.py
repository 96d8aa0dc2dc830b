"""What each command imports, in a new process."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import imgcolor
from imgcolor.cli.training_help import HELP

TRAINING = ("lightning", "torchmetrics", "torchvision")
UNUSED = (*TRAINING, "kornia", "matplotlib", "sklearn", "jsonargparse")


def imported_by(program: str, folder: Path, names: tuple[str, ...]) -> set[str]:
    """Run a program and return those of the given packages that it has imported."""
    program += f"\nimport json, sys; print(json.dumps([n for n in {names!r} if n in sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def command(*arguments: str, status: int = 0) -> str:
    """Return a program that runs a command."""
    return (
        "from imgcolor.cli.main import main\n"
        f"try: status = main({list(arguments)!r})\n"
        "except SystemExit as stop: status = stop.code\n"
        f"assert status == {status}, status"
    )


@pytest.fixture
def photo_folder(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    return tmp_path


def test_commands_for_trained_models_do_not_import_training_packages(photo_folder: Path) -> None:
    program = "\n".join(
        [
            command("colourize", "a.png", "--compare"),
            command("upscale", "a.png"),
            command("export", "faces", "--format", "torchscript"),
            command("export", "faces", "--format", "weights"),
            "import imgcolor",
            "imgcolor.load('horses')",
        ]
    )
    assert imported_by(program, photo_folder, UNUSED) == set()


def test_demo_does_not_import_training_packages(photo_folder: Path) -> None:
    pytest.importorskip("gradio")
    program = (
        "from pathlib import Path\n"
        "import imgcolor\n"
        "from imgcolor.demo import app, actions\n"
        "actions.run_model(Path('a.png'), imgcolor.load('faces'))"
    )
    assert imported_by(program, photo_folder, TRAINING) == set()


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["--help"], 0),
        (["--version"], 0),
        (["models"], 0),
        (["models", "faces"], 0),
        *(
            (([name, "--help"]), 0)
            for name in (
                *HELP,
                "colourize",
                "upscale",
                "export",
                "demo",
                "activations",
                "benchmark",
                "compare",
            )
        ),
        (["colourize"], 2),
        (["colourize", "a.png", "--colour"], 2),
        (["colourize", "misspelt.png"], 1),
        (["colourize", "a.png", "--model", "cats"], 1),
        (["upscale", "a.png", "--output", "a.png"], 1),
        (["export", "cats"], 1),
        (["benchmark", "photo_x4", "misspelt"], 1),
        (["benchmark", "cats", "."], 1),
        (["benchmark", "photo_x4", ".", "--jpeg", "101"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_help_and_wrong_arguments_need_no_torch(
    arguments: list[str], status: int, photo_folder: Path
) -> None:
    heavy = ("torch", "numpy", *UNUSED)
    assert imported_by(command(*arguments, status=status), photo_folder, heavy) == set()


@pytest.mark.parametrize("package", ["", "data", "data.sources", "metrics", "pipelines"])
def test_lazy_packages_export_what_they_list(package: str) -> None:
    module = __import__(f"imgcolor.{package}".rstrip("."), fromlist=["__all__"])
    for name in module.__all__:
        assert getattr(module, name) is not None
        assert getattr(module, name).__class__.__name__ != "module"
    with pytest.raises(AttributeError, match="nonsense"):
        _ = module.nonsense
    assert imgcolor.__version__
