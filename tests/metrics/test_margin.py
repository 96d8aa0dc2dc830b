import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from imgcolor.metrics import MarginAccuracy, MarginError, margin_accuracy


def reference(prediction: np.ndarray, target: np.ndarray, margin: int) -> float:
    """The homework's score, in NumPy: clamp, round, compare, average over images."""

    def levels(images: np.ndarray) -> np.ndarray:
        if images.dtype == np.uint8:
            return images.astype(int)
        return np.rint(np.clip(images, 0, 1) * np.float32(255)).astype(int)

    near = np.abs(levels(prediction) - levels(target)) < margin
    return float(np.mean([image.mean() for image in near]))


def uint8(*values: int) -> Tensor:
    return torch.tensor(values, dtype=torch.uint8).reshape(1, 1, 1, -1)


@pytest.mark.parametrize(
    ("prediction", "target", "accuracy"),
    [
        (100, 111, 1.0),
        (100, 112, 0.0),  # 12 is not below 12
        (100, 113, 0.0),
        (111, 100, 1.0),
        (112, 100, 0.0),
        (0, 11, 1.0),
        (0, 12, 0.0),
        (255, 244, 1.0),
        (255, 243, 0.0),
        (0, 255, 0.0),  # no wrap-around of uint8
        (255, 0, 0.0),
    ],
)
def test_a_difference_equal_to_the_margin_is_wrong(prediction: int, target: int, accuracy: float) -> None:
    assert margin_accuracy(uint8(prediction), uint8(target)).item() == accuracy
    as_float = margin_accuracy(uint8(prediction).float() / 255, uint8(target).float() / 255)
    assert as_float.item() == accuracy


@settings(max_examples=1000, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), margin=st.integers(0, 40), kinds=st.tuples(*[st.booleans()] * 2))
def test_equals_numpy(seed: int, margin: int, kinds: tuple[bool, bool]) -> None:
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 6, 4))
    target_levels = rng.integers(0, 256, shape)
    # Near the truth, so that differences fall around the margin.
    levels = target_levels + rng.integers(-margin - 2, margin + 3, shape)
    sides = []
    for values, as_float in zip((levels, target_levels), kinds, strict=True):
        if as_float:
            sides.append((values.clip(0, 255) / 255).astype(np.float32))
        else:
            sides.append(values.clip(0, 255).astype(np.uint8))
    metric = MarginAccuracy(margin)
    for part in (slice(0, -1), slice(-1, None)):  # a last batch of one
        if len(sides[0][part]):
            metric.update(*(torch.from_numpy(side[part]) for side in sides))
    assert metric.compute().item() == pytest.approx(reference(sides[0], sides[1], margin), abs=1e-6)


def test_non_contiguous_and_half_precision() -> None:
    target = torch.rand(2, 3, 8, 8)
    expected = margin_accuracy(target, 1 - target)
    channels_last = target.to(memory_format=torch.channels_last)
    assert torch.equal(margin_accuracy(channels_last, 1 - target), expected)
    exact = torch.randint(0, 256, (2, 3, 8, 8)).float() / 255
    assert margin_accuracy(exact.half(), exact).min() == 1


def test_margin_error_is_one_minus_accuracy() -> None:
    accuracy, error = MarginAccuracy(), MarginError()
    for metric in (accuracy, error):
        metric.update(uint8(100, 200, 30), uint8(100, 100, 30))
    assert error.compute() == pytest.approx(1 / 3)
    assert accuracy.compute() + error.compute() == 1


@pytest.mark.parametrize(
    ("prediction", "target", "message"),
    [
        (torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 5), "same shape"),
        (torch.zeros(3, 4, 4), torch.zeros(3, 4, 4), "same shape"),
        (torch.full((1, 3, 4, 4), torch.nan), torch.zeros(1, 3, 4, 4), "NaN"),
        (torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4, dtype=torch.int64), "uint8"),
    ],
)
def test_bad_images_are_refused(prediction: Tensor, target: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        margin_accuracy(prediction, target)


TWO_PROCESSES = """
import json, sys
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from imgcolor.metrics import MarginAccuracy, MarginCurve, MarginError


def work(rank, prediction, target, address):
    dist.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    metrics = [MarginAccuracy(12), MarginError(12), MarginCurve()]
    for metric in metrics:
        # The first process has five images in two batches, the second two: means of means would be wrong.
        for part in ((slice(0, 4), slice(4, 5)), (slice(5, 7),))[rank]:
            metric.update(prediction[part], target[part])
    values = [metric.compute() for metric in metrics]
    with open(f"rank{rank}.json", "w") as file:
        json.dump([float(values[0]), float(values[1]), float(values[2][12])], file)
    dist.destroy_process_group()


if __name__ == "__main__":
    images = torch.load("images.pt")
    mp.spawn(work, args=(*images, sys.argv[1]), nprocs=2)
"""


@pytest.mark.slow
def test_two_ranks_count_each_image_once(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    target = torch.randint(0, 256, (7, 3, 4, 4), generator=generator)
    noise = torch.randint(-30, 31, target.shape, generator=generator)
    noise[5:] = 0  # the second process's images are all right
    prediction = (target + noise).clamp(0, 255).to(torch.uint8)
    target = target.to(torch.uint8)
    torch.save((prediction, target), tmp_path / "images.pt")
    (tmp_path / "program.py").write_text(TWO_PROCESSES)
    done = subprocess.run(
        [sys.executable, "program.py", f"file://{tmp_path}/meeting"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    expected = float(margin_accuracy(prediction, target).mean())
    assert 0.3 < expected < 0.9
    for rank in (0, 1):
        found = json.loads((tmp_path / f"rank{rank}.json").read_text())
        assert found == pytest.approx([expected, 1 - expected, expected], abs=1e-6)
