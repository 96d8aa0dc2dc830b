"""Sweep files: which trials a sweep has, and the options of each trial."""

import itertools
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from imgcolor.cli.options import find_packaged
from imgcolor.utils.errors import ImgcolorError


@dataclass
class Sweep:
    """The content of a sweep file.

    Attributes:
        name: The file's name without extension, which is also the name of the sweep's folder.
        experiment: The configuration of every trial, unless its variant has another one.
        parameters: Option to its values: a list, or for ``random`` and ``tpe`` also ``{min, max}`` with ``log``
            or ``integer``.
        variants: Name to options with their values, which change together. Each variant is combined with all
            parameters. The key ``experiment`` of a variant is its configuration.
        overrides: Option to its value in every trial.
        search: ``grid`` tries all combinations, ``random`` draws values, ``tpe`` draws them near good ones (Optuna).
        trials: Number of trials of ``random`` and ``tpe``.
        metric: The metric to compare, by its name in ``metrics.json``.
        mode: ``min`` if lower values are better, ``max`` if higher ones are.
        cpus: Number of CPU cores per trial.
        gpus: Number of GPUs per trial; with a fraction, trials share one.
        options: More options of every trial, as on the command line.
    """

    name: str
    experiment: Path
    parameters: dict[str, Any] = field(default_factory=dict)
    variants: dict[str, dict[str, Any]] = field(default_factory=dict)
    overrides: dict[str, Any] = field(default_factory=dict)
    search: Literal["grid", "random", "tpe"] = "grid"
    trials: int = 10
    metric: str = "val/loss"
    mode: Literal["min", "max"] = "min"
    cpus: float = 1
    gpus: float = 0
    options: list[str] = field(default_factory=list)

    @property
    def axes(self) -> dict[str, Any]:
        """The names and values that differ between trials: the variant, if there are any, and the parameters."""
        return {**({"variant": list(self.variants)} if self.variants else {}), **self.parameters}

    @property
    def swept(self) -> list[str]:
        """The options that differ between trials."""
        options = [*self.parameters, *itertools.chain(*self.variants.values())]
        return [option for option in dict.fromkeys(options) if option != "experiment"]

    def experiment_of(self, values: Mapping[str, Any]) -> Path:
        """Return the configuration of a trial."""
        return Path(self.variants.get(values.get("variant", ""), {}).get("experiment", self.experiment))

    def samples(self) -> Iterator[dict[str, Any]]:
        """Yield combinations that have each value of each axis at least once; of a range its ends."""
        axes = {
            option: values if isinstance(values, list) else [values["min"], values["max"]]
            for option, values in self.axes.items()
        }
        first = {option: values[0] for option, values in axes.items()}
        yield first
        for option, values in axes.items():
            yield from ({**first, option: value} for value in values[1:])

    def grid(self) -> Iterator[dict[str, Any]]:
        """Yield all combinations of the values of the axes."""
        for values in itertools.product(*self.axes.values()):
            yield dict(zip(self.axes, values, strict=True))


def read_sweep(path: Path) -> Sweep:
    """Read a sweep file.

    Args:
        path: The YAML.

    Returns:
        The sweep. A relative path of the experiment is relative to the current folder; ``experiments/...`` is also
        found in the package.

    Raises:
        ImgcolorError: If the file cannot be read or is no sweep.
    """
    try:
        content = yaml.safe_load(find_packaged(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ImgcolorError(f"{path}: expected a sweep as YAML ({' '.join(str(error).split())})") from error
    if not isinstance(content, dict):
        raise ImgcolorError(f"{path}: expected keys such as experiment and parameters, found {content!r}")
    known = set(Sweep.__dataclass_fields__) - {"name", "options"}
    for key in content:
        if key not in known:
            raise ImgcolorError(f"{path}: expected keys of {', '.join(sorted(known))}, found {key!r}")
    given = {key: value for key, value in content.items() if value is not None}
    if not given.get("experiment"):
        raise ImgcolorError(f"{path}: expected experiment, found none")
    if not given.get("parameters") and not given.get("variants"):
        raise ImgcolorError(f"{path}: expected parameters or variants, found none")
    _check_types(path, given)
    plan = Sweep(**{**given, "name": path.stem, "experiment": Path(given["experiment"])})
    for experiment in dict.fromkeys(
        [plan.experiment, *(plan.experiment_of({"variant": v}) for v in plan.variants)]
    ):
        if not find_packaged(experiment).is_file():
            raise ImgcolorError(f"{path}: experiment: expected a file, found none at {experiment}")
    for option, values in plan.parameters.items():
        ranged = isinstance(values, dict) and {"min", "max"} <= set(values)
        if not (isinstance(values, list) and values) and not (ranged and plan.search != "grid"):
            raise ImgcolorError(
                f"{path}: parameters: {option}: expected a list of values"
                f"{'' if plan.search == 'grid' else ', or min and max'}, found {values!r}"
            )
    return plan


def _check_types(path: Path, content: Mapping[str, Any]) -> None:
    """Refuse values of keys that have another type than a sweep needs."""
    for key in ("parameters", "variants", "overrides"):
        _check_options(f"{path}: {key}", content.get(key, {}))
    for name, options in content.get("variants", {}).items():
        _check_options(f"{path}: variants: {name}", options)
    texts = {key: content[key] for key in ("experiment", "metric") if key in content}
    for name, options in content.get("variants", {}).items():
        texts |= {f"variants: {name}: experiment": options["experiment"]} if "experiment" in options else {}
    for key, text in texts.items():
        if not isinstance(text, str):
            raise ImgcolorError(f"{path}: {key}: expected text, found {text!r}")
    for key, allowed in (("search", ("grid", "random", "tpe")), ("mode", ("min", "max"))):
        if content.get(key, allowed[0]) not in allowed:
            raise ImgcolorError(
                f"{path}: {key}: expected one of {', '.join(allowed)}, found {content[key]!r}"
            )
    for key, least in (("trials", 1), ("cpus", 0), ("gpus", 0)):
        value = content.get(key, least)
        kind = int if key == "trials" else int | float
        if isinstance(value, bool) or not isinstance(value, kind) or value < least:
            kind_name = "a whole number" if key == "trials" else "a number"
            raise ImgcolorError(f"{path}: {key}: expected {kind_name} of at least {least}, found {value!r}")


def _check_options(place: str, options: Any) -> None:
    if not isinstance(options, dict) or not all(isinstance(name, str) for name in options):
        raise ImgcolorError(
            f"{place}: expected names with values, such as `data.batch_size: 10` on a line, found {options!r}"
        )


def trial_options(plan: Sweep, values: Mapping[str, Any]) -> list[str]:
    """Return the options of a trial for ``imgcolor fit``."""
    parameters = {option: value for option, value in values.items() if option != "variant"}
    variant = plan.variants.get(values.get("variant", ""), {})
    together = {option: value for option, value in variant.items() if option != "experiment"}
    chosen = {**plan.overrides, **together, **parameters}
    return [*(f"--{option}={format_value(value)}" for option, value in chosen.items()), *plan.options]


def trial_name(values: Mapping[str, Any]) -> str:
    """Return the name of a trial's folder: the last parts of the option names with their values."""
    parts = [f"{option.rpartition('.')[2]}={format_value(value)}" for option, value in values.items()]
    name = "".join(c if c.isalnum() or c in "=,.-_" else "_" for c in ",".join(parts))
    # A checksum keeps long names unique after they are cut.
    return name if len(name) <= 150 else f"{name[:140]}-{zlib.crc32(name.encode()):08x}"


def format_value(value: Any) -> str:
    """Return a value as it is written on the command line."""
    return value if isinstance(value, str) else json.dumps(value)
