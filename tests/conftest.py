from collections.abc import Callable
from pathlib import Path

import lightning.pytorch  # noqa: F401  # first: its log handler would otherwise keep the stderr of a test
import pytest
import torch

from imgcolor.cli.main import main

REPOSITORY = Path(__file__).parents[1]

# Few images, and a last batch that is not full.
TINY = [
    "--data.source=synthetic",
    "--data.train_images=24",
    "--data.val_images=10",
    "--data.batch_size=10",
    "--trainer.max_epochs=2",
    "--trainer.enable_progress_bar=false",
    "--trainer.enable_model_summary=false",
]


@pytest.fixture
def repository() -> Path:
    return REPOSITORY


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run the test in an empty folder, so that no run is written to the repository."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PL_GLOBAL_SEED", raising=False)
    return tmp_path


@pytest.fixture
def tiny_fit(workplace: Path) -> Callable[..., Path]:
    """Return a function that runs `imgcolor fit` on few images and returns the run folder."""

    def fit(experiment: str, *options: str) -> Path:
        before = set(workplace.glob("lightning_logs/*/version_*"))
        status = main(["fit", "--config", str(REPOSITORY / experiment), *TINY, *options])
        assert status == 0
        (folder,) = set(workplace.glob("lightning_logs/*/version_*")) - before
        return folder

    return fit


@pytest.fixture(autouse=True)
def _repeatable() -> None:
    """Seed torch, so that each run of a test has the same random numbers."""
    torch.manual_seed(0)
    # One thread is faster for tiny tensors, and test processes run in parallel.
    torch.set_num_threads(1)
