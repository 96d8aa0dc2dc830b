import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from imgcolor.colour import Palette
from imgcolor.utils.errors import ImgcolorError

PRIMARIES = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]])


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_encode_finds_the_nearest_colour(seed: int) -> None:
    rng = np.random.default_rng(seed)
    colours = rng.random((int(rng.integers(2, 30)), 3), dtype=np.float32)
    images = rng.random((2, 3, 5, 7), dtype=np.float32)
    found = Palette.from_colours(torch.from_numpy(colours)).encode(torch.from_numpy(images)).numpy()
    pixels = images.transpose(0, 2, 3, 1).astype(float)
    distances = np.linalg.norm(pixels[..., None, :] - colours.astype(float), axis=-1)
    chosen = np.take_along_axis(distances, found[..., None], axis=-1)[..., 0]
    np.testing.assert_allclose(chosen, distances.min(axis=-1), atol=1e-6)


def test_encode_cache_is_cleared_when_the_colours_change() -> None:
    images = torch.randint(0, 256, (4, 3, 16, 16), dtype=torch.uint8)
    pixels = images.float() / 255
    palette = Palette.from_colours(torch.rand(24, 3))

    for colours in (palette.colours.clone(), torch.rand(24, 3), torch.rand(24, 3)):
        palette.colours.copy_(colours)
        distances = (pixels[:, None].double() - colours.double()[None, :, :, None, None]).square().sum(dim=2)
        for _ in range(2):  # new pixels, then known ones
            assert torch.equal(palette.encode(pixels), distances.argmin(dim=1))
    assert set(palette.state_dict()) == {"colours"}


def test_lookup_inverts_encode_for_palette_colours() -> None:
    palette = Palette.from_colours(PRIMARIES)
    indices = torch.randint(0, 5, (3, 4, 6))
    assert torch.equal(palette.encode(palette.lookup(indices)), indices)


def test_decodings_by_hand() -> None:
    palette = Palette.from_colours(torch.tensor([[0.0, 0, 0], [1, 1, 1]]))
    logits = torch.tensor([0.0, float(np.log(3.0))]).reshape(1, 2, 1, 1)  # probabilities 1/4 and 3/4
    assert palette.decode(logits, "argmax").flatten().tolist() == [1, 1, 1]
    torch.testing.assert_close(palette.decode(logits, "expectation").flatten(), torch.full((3,), 0.75))
    # exp(log 3 / 0.5) = 9: probabilities 1/10 and 9/10
    annealed = palette.decode(logits, "annealed", temperature=0.5).flatten()
    torch.testing.assert_close(annealed, torch.full((3,), 0.9))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), temperature=st.floats(0.01, 5))
def test_annealed_mean_is_within_the_range_of_the_colours(seed: int, temperature: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    palette = Palette.from_colours(torch.rand(6, 3, generator=generator))
    logits = 20 * torch.randn(2, 6, 3, 3, generator=generator)
    decoded = palette.decode(logits, "annealed", temperature)
    low, high = palette.colours.min(dim=0).values, palette.colours.max(dim=0).values
    assert (decoded >= low[:, None, None] - 1e-5).all()
    assert (decoded <= high[:, None, None] + 1e-5).all()


def test_annealed_mean_equals_expectation_at_1_and_argmax_near_0() -> None:
    palette = Palette.from_colours(PRIMARIES)
    logits = torch.rand(2, 5, 4, 4).argsort(dim=1).float()  # no two alike at a pixel
    torch.testing.assert_close(
        palette.decode(logits, "annealed", temperature=1.0), palette.decode(logits, "expectation")
    )
    torch.testing.assert_close(
        palette.decode(logits, "annealed", temperature=1e-4), palette.decode(logits, "argmax")
    )


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_changes_no_colour(dtype: torch.dtype) -> None:
    palette = Palette.from_colours(torch.rand(24, 3, generator=torch.Generator().manual_seed(0)))
    images = torch.rand(4, 3, 16, 16)
    logits = torch.randn(4, 24, 16, 16)
    with torch.autocast("cpu", dtype=dtype):
        encoded, decoded = palette.encode(images), palette.decode(logits)
    assert torch.equal(encoded, palette.encode(images))
    assert torch.equal(decoded, palette.decode(logits))


def test_bad_decodings_are_refused() -> None:
    palette = Palette.from_colours(PRIMARIES)
    with pytest.raises(ValueError, match="argmax, expectation or annealed"):
        palette.decode(torch.zeros(1, 5, 2, 2), "mean")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="above 0"):
        palette.decode(torch.zeros(1, 5, 2, 2), temperature=0)


def painted(colours: torch.Tensor, count: int = 20) -> torch.Tensor:
    """Images whose pixels are the given uint8 colours with a little noise."""
    generator = torch.Generator().manual_seed(0)
    indices = torch.randint(0, len(colours), (count, 16, 16), generator=generator)
    noise = torch.randint(-2, 3, (count, 16, 16, 3), generator=generator)
    return (colours[indices].int() + noise).clamp(0, 255).to(torch.uint8).permute(0, 3, 1, 2)


def test_fitted_colours_are_those_of_the_images_from_dark_to_light() -> None:
    colours = torch.tensor([[10, 20, 30], [200, 30, 40], [90, 180, 80], [240, 240, 200]], dtype=torch.uint8)
    palette = Palette.from_images(painted(colours), size=4)
    torch.testing.assert_close(
        palette.colours, colours[[0, 1, 2, 3]].float() / 255, atol=1.5 / 255, rtol=0
    )  # sums 60, 270, 350, 680: given in this order


def test_fit_depends_only_on_images_and_seed() -> None:
    images = torch.randint(0, 256, (300, 3, 32, 32), dtype=torch.uint8)  # more pixels than the sample
    state = torch.get_rng_state()
    first = Palette.from_images(images, 8).colours
    torch.manual_seed(1)
    torch.rand(7)
    assert torch.equal(Palette.from_images(images, 8).colours, first)
    assert not torch.equal(Palette.from_images(images, 8, seed=1).colours, first)
    torch.set_rng_state(state)


def test_fit_with_too_few_colours() -> None:
    black = torch.zeros(3, 3, 8, 8, dtype=torch.uint8)
    with pytest.raises(ImgcolorError, match="at least 24 different colours, found 1"):
        Palette.from_images(black)


def test_file_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "palette.json"
    Palette.from_colours(PRIMARIES * 0.7).save(path)
    torch.testing.assert_close(Palette.load(path).colours, PRIMARIES * 0.7, atol=1e-6, rtol=0)
    assert [p.name for p in tmp_path.iterdir()] == ["palette.json"]


@pytest.mark.parametrize(
    ("scale", "factor"), [("unit", 1), ("pixel", 1 / 255), ("pixel/255", 1), ("pixel/256", 256 / 255)]
)
def test_scales(tmp_path: Path, scale: str, factor: float) -> None:
    path = tmp_path / "palette.json"
    numbers = [[0.5, 0.25, 0], [0.75, 0.5, 0.25]]
    path.write_text(json.dumps({"scale": scale, "centroids": numbers}))
    torch.testing.assert_close(Palette.load(path).colours, torch.tensor(numbers) * factor)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[[0, 0, 0]]", "at least 2 colours"),
        ("[[0, 0], [1, 1]]", "three numbers each"),
        ("[[0, 0, 0], [1, 1, 2]]", r"in \[0, 1\], found values from 0 to 2"),
        ("[[0, 0, 0], [1, 1, -1]]", r"in \[0, 1\]"),
        ("[[0, 0, 0], [1, 1, NaN]]", r"in \[0, 1\]"),
        ('[[0, 0, 0], ["1", 1, 1]]', "three numbers each"),
        ("[[0, 0, 0], [true, 1, 1]]", "three numbers each"),
        ("3", "three numbers each"),
        ('{"colours": []}', "'centroids'"),
        ('{"scale": "percent", "centroids": [[0, 0, 0], [1, 1, 1]]}', "scale"),
        ('{"scale": ["unit"], "centroids": [[0, 0, 0], [1, 1, 1]]}', "scale"),
        ("[" * 100_000, "JSON"),
        ("colours", "JSON"),
        ("", "JSON"),
    ],
)
def test_bad_files_are_refused_in_one_line(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "palette.json"
    path.write_text(content)
    with pytest.raises(ImgcolorError, match=message) as caught:
        Palette.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_pickles_are_refused_unopened(tmp_path: Path) -> None:
    marker = tmp_path / "executed"

    class Attack:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (marker,))

    pickled = tmp_path / "palette.pkl"
    pickled.write_bytes(pickle.dumps(Attack()))
    array = tmp_path / "palette.npy"
    np.save(array, np.array([Attack()], dtype=object), allow_pickle=True)
    for path in (pickled, array):
        with pytest.raises(ImgcolorError, match="not read"):
            Palette.load(path)
    assert not marker.exists()


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ImgcolorError, match="imgcolor palette"):
        Palette.load(tmp_path / "none.json")
