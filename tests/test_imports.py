"""Which module of the package imports which, and what importing the inference part loads."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import imgcolor

PACKAGE = Path(imgcolor.__file__).parent

LAYERS: list[set[str]] = [
    {"utils"},
    {"colour", "networks", "optim"},
    {"baselines", "checkpoints", "data", "metrics", "pretrained", "visualization"},
    {"pipelines", "tasks"},
    {"callbacks", "demo"},
    {"cli"},
]
"""Subpackages from the lowest layer to the highest; each imports from lower layers only, and from itself."""


def module_files() -> dict[str, Path]:
    """Map the dotted name of each module of the package to its file."""
    modules = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return modules


def imports_of(path: Path, modules: dict[str, Path]) -> set[str]:
    """Return the package's modules that a file imports, at its top and inside functions."""
    found = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    # In a package's __init__, these are the names that it imports on first use; elsewhere they are never run.
    annotations = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for statement in node.body
        for inner in ast.walk(statement)
        if path.name != "__init__.py"
    }
    for node in ast.walk(tree):
        if id(node) in annotations:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                found.add(submodule if submodule in modules else node.module)
    return found & modules.keys()


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    modules = module_files()
    assert len(modules) > 100
    return {name: imports_of(path, modules) for name, path in modules.items()}


def test_no_import_cycle(graph: dict[str, set[str]]) -> None:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"import cycle: {' <- '.join(error.args[1])}")


def test_imports_point_to_lower_layers(graph: dict[str, set[str]]) -> None:
    layer = {name: number for number, names in enumerate(LAYERS) for name in names}
    folders = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert layer.keys() == folders
    wrong = []
    for module, imported in graph.items():
        for other in imported:
            source, target = (name.split(".")[1:2] for name in (module, other))
            if source == target or not source or source == ["__main__"]:
                continue
            # The package itself exports names of the pipelines, and has the version.
            allowed = layer[target[0]] < layer[source[0]] if target else layer[source[0]] > layer["pipelines"]
            if not allowed:
                wrong.append(f"{module} imports {other}")
    assert wrong == []


def test_inference_loads_no_training_packages() -> None:
    code = (
        "import sys, imgcolor.pipelines, imgcolor.checkpoints, imgcolor.networks, imgcolor.colour, "
        "imgcolor.pretrained, imgcolor.baselines; "
        "imgcolor.load, imgcolor.colour.PaletteCoding, imgcolor.networks.ColourUNet, imgcolor.data.LumaGrey; "
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "torch" in loaded
    assert not loaded & {
        "lightning", "torchmetrics", "torchvision", "kornia", "sklearn", "scipy", "matplotlib", "tensorboard"
    }  # fmt: skip
