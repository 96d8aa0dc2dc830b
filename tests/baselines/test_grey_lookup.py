import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from imgcolor.baselines import GreyLookup


def pairs(count: int = 6, size: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    colours = torch.randint(0, 256, (count, 3, size, size), generator=generator) / 255
    return colours.mean(dim=1, keepdim=True), colours


def test_mean_equals_numpys_and_is_the_grey_without_training_pixels() -> None:
    grey, colours = pairs()
    table = GreyLookup(levels=16, smoothing=1e-9)
    table.fit([(grey[:4], colours[:4]), (grey[4:], colours[4:])])
    levels = np.rint(grey[:, 0].numpy() * 15).astype(int)
    pixels = colours.permute(0, 2, 3, 1).numpy()
    result = table(torch.linspace(0, 1, 16).view(1, 1, 1, 16))[0, :, 0].T.numpy()
    seen = np.unique(levels)
    for level in range(16):
        expected = pixels[levels == level].mean(axis=0) if level in seen else np.full(3, level / 15)
        np.testing.assert_allclose(result[level], expected, atol=1e-6)
    assert len(seen) < 16


def test_mean_minimizes_the_squared_error() -> None:
    grey, colours = pairs()
    table = GreyLookup(levels=8, smoothing=1e-9)
    table.fit([(grey, colours)])
    best = (table(grey) - colours).square().mean()
    for change in (0.01, -0.01):
        table.table += change
        assert (table(grey) - colours).square().mean() > best
        table.table -= change


def test_histogram_by_hand() -> None:
    # Dark pixels: colours 0, 0, 1; light ones: colour 2. The histogram of all counts as one pixel.
    grey = torch.tensor([[[[0.0, 0.1, 0.2, 0.9]]]])
    table = GreyLookup(channels=3, statistic="histogram", levels=2, smoothing=1.0)
    table.fit([(grey, torch.tensor([[[0, 0, 1, 2]]]))])
    everywhere = (torch.tensor([2.0, 1.0, 1.0]) + 1 / 3) / 5
    dark = (torch.tensor([2.0, 1.0, 0.0]) + everywhere) / 4
    light = (torch.tensor([0.0, 0.0, 1.0]) + everywhere) / 2
    probabilities = table(grey).exp()[0, :, 0]
    torch.testing.assert_close(probabilities[:, 0], dark)
    torch.testing.assert_close(probabilities[:, 3], light)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 5), st.floats(0.01, 10))
def test_histogram_probabilities_sum_to_one(seed: int, bands: int, smoothing: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    grey = torch.rand(2, 1, 5, 4, generator=generator)
    target = torch.randint(0, 7, (2, 5, 4), generator=generator)
    table = GreyLookup(7, "histogram", levels=9, bands=bands, smoothing=smoothing)
    table.fit([(grey, target)])
    torch.testing.assert_close(table.table.exp().sum(dim=-1), torch.ones(bands, 9))


def test_margin_is_the_value_with_most_values_within_the_margin() -> None:
    # Three values in 100..110 are less than 12 apart, two are 200: the mean would be within the margin of none.
    values = torch.tensor([100, 105, 110, 200, 200]) / 255
    colours = values.view(1, 1, 1, 5).repeat(1, 3, 1, 1)
    table = GreyLookup(statistic="margin", levels=2, smoothing=1e-6)
    table.fit([(torch.zeros(1, 1, 1, 5), colours)])
    chosen = table(torch.zeros(1, 1, 1, 1)).flatten() * 255
    assert ((chosen.round() - torch.tensor([100, 105, 110])[:, None]).abs() < 12).all()


def test_margin_with_two_peaks_chooses_one_of_them() -> None:
    colours = (torch.tensor([50, 50, 200, 200]) / 255).view(1, 1, 1, 4).repeat(1, 3, 1, 1)
    for smoothing in (1e-6, 1.0):
        table = GreyLookup(statistic="margin", levels=2, smoothing=smoothing)
        table.fit([(torch.zeros(1, 1, 1, 4), colours)])
        chosen = (table(torch.zeros(1, 1, 1, 1)) * 255).round()
        assert ((chosen - torch.tensor([50, 50, 200, 200])).abs() < 12).float().mean() == 0.5


def test_margin_equals_an_exhaustive_search() -> None:
    generator = torch.Generator().manual_seed(3)
    values = torch.randint(0, 256, (60,), generator=generator)
    colours = (values / 255).view(1, 1, 1, 60).repeat(1, 3, 1, 1)
    table = GreyLookup(statistic="margin", levels=2, smoothing=1e-6)
    table.fit([(torch.zeros(1, 1, 1, 60), colours)])
    chosen = (table(torch.zeros(1, 1, 1, 1))[0, 0, 0, 0] * 255).round()
    right = [int(((values - guess).abs() < 12).sum()) for guess in range(256)]
    assert right[int(chosen)] == max(right)


def test_bands_have_separate_tables_and_missing_levels_use_the_other_bands() -> None:
    grey = torch.full((1, 1, 4, 2), 0.5)
    grey[0, 0, 3, 1] = 1.0  # only the lower band knows white
    colours = torch.zeros(1, 3, 4, 2)
    colours[:, 2, :2] = 1  # sky
    colours[:, 1, 2:] = 1  # grass
    table = GreyLookup(levels=3, bands=2, smoothing=1e-6)
    table.fit([(grey, colours)])
    upper, lower = table(torch.full((1, 1, 6, 1), 0.5))[0, :, [0, 5], 0].T
    torch.testing.assert_close(upper, torch.tensor([0.0, 0.0, 1.0]), atol=1e-4, rtol=0)
    torch.testing.assert_close(lower, torch.tensor([0.0, 1.0, 0.0]), atol=1e-4, rtol=0)
    white = table(torch.ones(1, 1, 2, 1))[0, :, :, 0]
    torch.testing.assert_close(white[:, 0], white[:, 1], atol=1e-4, rtol=0)


def test_table_without_values_is_not_fitted() -> None:
    table = GreyLookup()
    assert not table.is_fitted
    with pytest.raises(ValueError, match="found none"):
        table.fit([])
    table.fit([pairs()])
    assert table.is_fitted
    other = GreyLookup()
    other.load_state_dict(table.state_dict())
    assert torch.equal(other.table, table.table)


@pytest.mark.parametrize(
    "options", [{"statistic": "median"}, {"levels": 1}, {"bands": 0}, {"smoothing": 0.0}, {"margin": 0}]
)
def test_bad_arguments(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        GreyLookup(**options)  # type: ignore[arg-type]
