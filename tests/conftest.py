from collections.abc import Callable
from pathlib import Path

import lightning.pytorch  # noqa: F401  # first here: its log handler would keep a test's own stderr, soon closed
import pytest
import torch

from imgcolor.cli.main import main

REPOSITORY = Path(__file__).parents[1]

# Small enough for every test, large enough for a batch that is not full.
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
    """An empty folder to run commands in; none of a test's runs lands in the repository."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PL_GLOBAL_SEED", raising=False)
    return tmp_path


@pytest.fixture
def tiny_fit(workplace: Path) -> Callable[..., Path]:
    """Run `imgcolor fit` on an experiment with tiny limits; gives the run's folder."""

    def fit(experiment: str, *options: str) -> Path:
        before = set(workplace.glob("lightning_logs/*/version_*"))
        status = main(["fit", "--config", str(REPOSITORY / experiment), *TINY, *options])
        assert status == 0
        (folder,) = set(workplace.glob("lightning_logs/*/version_*")) - before
        return folder

    return fit


@pytest.fixture(autouse=True)
def _repeatable() -> None:
    """The same random numbers in every run of a test."""
    torch.manual_seed(0)
    # Tiny tensors are faster without threads, and two test processes do not fight over the cores.
    torch.set_num_threads(1)
