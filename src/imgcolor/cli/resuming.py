"""``--ckpt_path last``: find the last checkpoint of the newest run."""

import pydoc
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from imgcolor.callbacks.checkpoints import newest_checkpoint
from imgcolor.callbacks.run_folder import DEFAULT_NAME
from imgcolor.utils.errors import ImgcolorError
from imgcolor.utils.files import CONFIG_FILE, RUN_FILE

_MAY_DIFFER = (
    "ckpt_path",
    "trainer.max_epochs",
    "trainer.max_steps",
    "trainer.max_time",
    "trainer.enable_progress_bar",
    "trainer.enable_model_summary",
)
"""Options that a resumed run may change: its length and what it prints."""


def last_checkpoint(config: Mapping[str, Any], *, fit: bool) -> Path:
    """Return the last checkpoint of the newest fit in the experiment's folder.

    An older run is never used. It is an error if the newest run has no checkpoint, or if a fit would continue it with
    other options.

    Args:
        config: The command's configuration, as plain data.
        fit: Whether the command is ``fit``, which must have the options of the run.

    Returns:
        The path of the checkpoint.

    Raises:
        ImgcolorError: If there is no run, its checkpoint is missing, or its options are different.
    """
    folder = _experiment_folder(config)
    runs = sorted((path.parent for path in folder.glob(f"version_*/{RUN_FILE}")), key=_number)
    if not runs:
        raise ImgcolorError(
            f"--ckpt_path last: expected a run of `imgcolor fit` in {folder}, found none; leave it out to "
            "start one"
        )
    folder = runs[-1] / "checkpoints"
    path = newest_checkpoint(folder)
    if path is None:
        raise ImgcolorError(
            f"--ckpt_path last: expected {folder / 'last.ckpt'}, found none: {runs[-1]}, the newest run, ended "
            "before its first epoch did; leave --ckpt_path out to start again, or give the path of "
            "an older checkpoint"
        )
    if fit:
        _refuse_other_options(runs[-1], path, config)
    return path


def _refuse_other_options(run: Path, path: Path, config: Mapping[str, Any]) -> None:
    file = run / CONFIG_FILE
    try:
        saved = dict(flat_options(yaml.safe_load(file.read_text(encoding="utf-8"))))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ImgcolorError(
            f"{file}: expected the newest run's configuration, found none ({error})"
        ) from error
    given = dict(flat_options(config))
    if given.get("checkpoint.mode") is None:  # which follows from the metric; older runs name it
        saved.pop("checkpoint.mode", None)
    # Options that are new since the version of the run are ignored.
    for name in saved:
        if name not in _MAY_DIFFER and saved[name] != given.get(name):
            raise ImgcolorError(
                f"--ckpt_path last: expected the options of {run}, the newest run, found {name} "
                f"{given.get(name)!r}, where it has {saved[name]!r}; to continue it with other options, give "
                f"--ckpt_path {path}"
            )


def flat_options(config: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the full name and the value of each option."""
    if isinstance(config, Mapping) and config:
        for key, value in config.items():
            yield from flat_options(value, f"{name}.{key}" if name else str(key))
    else:
        yield name, config


def _experiment_folder(config: Mapping[str, Any]) -> Path:
    """Return the folder with the run folders: see :func:`~imgcolor.callbacks.run_folder.run_folder`."""
    given = config["trainer"]["logger"]
    root = config["trainer"]["default_root_dir"] or "."
    for logger in given if isinstance(given, list) else [given]:
        if isinstance(logger, Mapping) and _chooses_folder(logger["class_path"]):
            options = logger.get("init_args", {})
            return Path(options.get("save_dir") or root) / (options.get("name") or DEFAULT_NAME)
    return Path(root) / DEFAULT_NAME


def _chooses_folder(class_path: str) -> bool:
    kind = pydoc.locate(class_path)
    return isinstance(kind, type) and issubclass(kind, TensorBoardLogger | CSVLogger)


def _number(run: Path) -> int:
    number = run.name.rpartition("_")[2]
    return int(number) if number.isdecimal() else -1
