"""Checkpoints that can be loaded without the configuration that they were trained with."""

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities import rank_zero_warn
from torch import nn

from imgcolor.checkpoints import KEY, checkpoint_entry, class_path, get_config, read_checkpoint
from imgcolor.checkpoints.comparison import check_same_model
from imgcolor.checkpoints.config import missing_argument
from imgcolor.checkpoints.parts import build_parts, from_untrusted_config, load_weights
from imgcolor.colour import OutputCoding
from imgcolor.utils.errors import ImgcolorError

_WRAPPED = "_orig_mod"
"""Where the wrapper of ``torch.compile`` keeps a module."""


class CheckpointedModule(LightningModule):
    """A LightningModule whose checkpoints hold the configs of task, network, output coding and degradation.

    Attributes:
        network: The network.
        coding: The output coding.
        flip_tta: Whether the mirror image is used too.
        degradation: What the network is trained to undo; known after a fit with a datamodule, or from a
            checkpoint.
        image_size: Height of the training images; known likewise.
    """

    # The network has its own config; the others are functions, and only training needs them.
    not_in_config = ("network", "optimizer", "lr_scheduler", "lr_interval", "init_from", "compile")

    network: nn.Module
    coding: OutputCoding
    flip_tta: bool

    def __init__(self) -> None:
        super().__init__()
        # torch's two methods have no type annotations.
        self.register_state_dict_post_hook(_leave_out_compilation)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_pre_hook(_put_back_compilation)  # type: ignore[no-untyped-call]
        self.degradation: nn.Module | None = None
        self.image_size: int | None = None
        self.resumed_schedules: list[dict[str, Any]] = []
        """States of the schedulers in the checkpoint that a fit resumes from."""

    def checkpoint_entry(self) -> dict[str, Any]:
        """Return what a checkpoint of this module holds under :data:`~imgcolor.checkpoints.KEY`."""
        return checkpoint_entry(
            task=get_config(self),
            network=get_config(uncompiled(self.network)),
            coding=get_config(self.coding),
            degradation=None if self.degradation is None else get_config(self.degradation),
            image_size=self.image_size,
            flip_tta=self.flip_tta,
        )

    def warn_of_missing_configs(self) -> None:
        """Warn of a task, network or coding that :func:`~imgcolor.checkpoints.get_config` cannot describe."""
        network = uncompiled(self.network)
        for part in (self, network, self.coding):
            name = missing_argument(part)
            if not name:
                continue
            hint = ""
            if part is self.network:
                hint = "; to load one, pass a network built with the same arguments: load_task(path, network=...)"
            elif part is self:
                argument = f"{name.strip('*')}=..."
                hint = f"; to load one, give it: {type(self).__name__}.load_from_checkpoint(path, {argument})"
            rank_zero_warn(
                f"{class_path(type(part))} does not keep every constructor argument as an attribute of the "
                f"same name: {name} is missing, so checkpoints hold its weights but not how to build it{hint}"
            )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the configs."""
        checkpoint[KEY] = self.checkpoint_entry()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse a checkpoint of another task or network before its weights are loaded."""
        self.check_checkpoint(checkpoint, "the checkpoint")
        self.resumed_schedules = checkpoint.get("lr_schedulers", [])

    def check_checkpoint(self, checkpoint: dict[str, Any], name: str) -> None:
        """Refuse a checkpoint of another kind of task or network, or of other shapes.

        Args:
            checkpoint: The file's content.
            name: What error messages call the file.

        Raises:
            ImgcolorError: If the checkpoint does not fit this module.
        """
        if KEY not in checkpoint:
            raise ImgcolorError(f"{name}: expected a checkpoint of imgcolor, found another program's")
        check_same_model(name, checkpoint[KEY], self.checkpoint_entry())

    @classmethod
    def load_from_checkpoint(  # type: ignore[override]  # other options: configs replace files of hyperparameters
        cls,
        checkpoint_path: Path | str,
        map_location: Any = "cpu",
        *,
        network: nn.Module | None = None,
        allow_import: str | Sequence[str] = (),
        **arguments: Any,
    ) -> Self:
        """Load a trained task: see :func:`~imgcolor.tasks.load_task`. The file may name this class.

        Args:
            checkpoint_path: The file.
            map_location: Where the tensors go.
            network: A network to fill with the checkpoint's weights.
            allow_import: Further modules, packages or classes that the file may name.
            **arguments: Constructor arguments, which replace those of the file. Those that the class does not keep as
                attributes are needed.

        Raises:
            ImgcolorError: See :func:`~imgcolor.tasks.load_task`; also if the checkpoint is of another class.
        """
        allowed = [class_path(cls), *([allow_import] if isinstance(allow_import, str) else allow_import)]
        checkpoint = read_checkpoint(checkpoint_path, map_location)
        parts = build_parts(checkpoint_path, checkpoint, network, map_location, allowed)
        config, weights = checkpoint[KEY]["task"], checkpoint["state_dict"]
        try:
            if config is None:
                task = cls._without_config(parts.network, arguments)
            else:
                task = from_untrusted_config(config, weights, allowed, network=parts.network, **arguments)
            if not isinstance(task, CheckpointedModule):
                raise ImgcolorError(f"expected the config of a task, found one of {type(task).__name__}")
            if not isinstance(task, cls):
                raise ImgcolorError(
                    f"expected a checkpoint of {cls.__name__}, found {type(task).__name__}; load it with "
                    f"{type(task).__name__}.load_from_checkpoint or with imgcolor.tasks.load_task"
                )
            load_weights(task, weights)
        except ImgcolorError as error:
            raise ImgcolorError(f"{checkpoint_path}: {error}") from error
        task.degradation, task.image_size = parts.degradation, parts.image_size
        return task.to(map_location).eval() if isinstance(map_location, str | torch.device) else task.eval()

    @classmethod
    def _without_config(cls, network: nn.Module, arguments: dict[str, Any]) -> Self:
        """Build a task whose constructor arguments are not in its checkpoint."""
        if inspect.isabstract(cls) or cls is CheckpointedModule:
            raise ImgcolorError(
                "the checkpoint has no config of its task, because the task does not keep every constructor argument "
                "as an attribute; load it with its class: TASK.load_from_checkpoint(path, ARGUMENT=...), or for "
                "photos with imgcolor.load"
            )
        try:
            return cls(network=network, **arguments)  # type: ignore[call-arg]  # tasks have a network
        except TypeError as error:
            raise ImgcolorError(
                f"the checkpoint has no config of its task; {cls.__name__} does not take the arguments that were "
                f"given: {error}"
            ) from error


def uncompiled(network: nn.Module) -> nn.Module:
    """Return the network inside the wrapper that ``torch.compile`` gives; another network as it is."""
    inner = getattr(network, _WRAPPED, network)
    return inner if isinstance(inner, nn.Module) else network


def _leave_out_compilation(_: nn.Module, weights: dict[str, Any], prefix: str, __: dict[str, Any]) -> None:
    """Name the weights of a compiled network as those of the network itself."""
    start = f"{prefix}network.{_WRAPPED}."
    for name in [name for name in weights if name.startswith(start)]:
        weights[f"{prefix}network.{name.removeprefix(start)}"] = weights.pop(name)


def _put_back_compilation(module: nn.Module, weights: dict[str, Any], prefix: str, *_: Any) -> None:
    """Name the weights as those of a compiled network, if there is one."""
    if not hasattr(module.network, _WRAPPED):
        return
    start = f"{prefix}network."
    for name in [name for name in weights if name.startswith(start)]:
        weights[f"{start}{_WRAPPED}.{name.removeprefix(start)}"] = weights.pop(name)
