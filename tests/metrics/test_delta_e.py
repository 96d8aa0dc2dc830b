import numpy as np
import pytest
import torch
from skimage.color import deltaE_ciede2000, rgb2lab

from imgcolor.colour.spaces import lab_to_rgb, rgb_to_lab
from imgcolor.metrics import DeltaE, ciede2000, delta_e

# Black, white, greys and the corners of the cube, where hue or chroma is undefined or jumps.
EDGES = [[r, g, b] for r in (0, 0.5, 1) for g in (0, 0.5, 1) for b in (0, 0.5, 1)]

# Pairs of Sharma, Wu and Dalal 2005 (table 1) that tell wrong implementations apart: hues across 0°, greys.
SHARMA = [
    ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
    ((50, 0, 0), (50, -1, 2), 2.3669),
    ((50, 2.49, -0.001), (50, -2.49, 0.0009), 7.1792),
    ((50, 2.49, -0.001), (50, -2.49, 0.0010), 7.1792),
    ((50, 2.49, -0.001), (50, -2.49, 0.0011), 7.2195),
    ((50, -0.001, 2.49), (50, 0.0009, -2.49), 4.8045),
    ((50, -0.001, 2.49), (50, 0.0010, -2.49), 4.8045),
    ((50, -0.001, 2.49), (50, 0.0011, -2.49), 4.7461),
    ((50, 2.5, 0), (50, 0, -2.5), 4.3065),
    ((50, 2.5, 0), (73, 25, -18), 27.1492),
    ((22.7233, 20.0904, -46.694), (23.0331, 14.973, -42.5619), 2.0373),
    ((2.0776, 0.0795, -1.135), (0.9033, -0.0636, -0.5514), 0.9082),
]


@pytest.mark.parametrize(("first", "second", "expected"), SHARMA)
def test_published_colour_pairs(first: tuple[float], second: tuple[float], expected: float) -> None:
    def image(lab: tuple[float]) -> torch.Tensor:
        return torch.tensor(lab, dtype=torch.float64).view(3, 1, 1)

    assert float(ciede2000(image(first), image(second))) == pytest.approx(expected, abs=1e-4)
    assert float(ciede2000(image(second), image(first))) == pytest.approx(expected, abs=1e-4)


def test_equals_scikit_image_on_random_and_edge_colours() -> None:
    generator = torch.Generator().manual_seed(0)
    random = torch.rand(2, 3, 40, 40, generator=generator)
    edges = torch.tensor(EDGES)
    pairs = torch.stack([edges.repeat_interleave(27, 0), edges.repeat(27, 1)]).permute(0, 2, 1)[..., None]
    for first, second in (random, pairs):
        labs = [rgb2lab(image.permute(1, 2, 0).double().numpy()) for image in (first, second)]
        expected = deltaE_ciede2000(*labs)
        found = ciede2000(*(rgb_to_lab(image[None]) for image in (first, second)))[0]
        np.testing.assert_allclose(found.numpy(), expected, atol=0.02)
        assert float(delta_e(first[None], second[None])) == pytest.approx(expected.mean(), abs=1e-3)


def test_conversion_to_lab_and_back() -> None:
    images = torch.cat(
        [torch.rand(1, 3, 50, 50), torch.tensor(EDGES).T.reshape(1, 3, 27, 1).expand(-1, -1, -1, 50)], 2
    )
    lab = rgb_to_lab(images)
    expected = rgb2lab(images[0].permute(1, 2, 0).double().numpy())
    np.testing.assert_allclose(lab[0].permute(1, 2, 0).numpy(), expected, atol=0.02)
    torch.testing.assert_close(lab_to_rgb(lab), images, atol=2e-4, rtol=0)


def test_images_have_equal_weight_in_batches_of_different_size() -> None:
    first, second = torch.rand(5, 3, 6, 6), torch.rand(5, 3, 6, 6)
    metric = DeltaE()
    metric.update(first[:4], second[:4])
    metric.update(first[4:], second[4:])
    torch.testing.assert_close(metric.compute(), delta_e(first, second).mean())
    assert float(delta_e(first, first).max()) == 0


def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\[2, 3, 4, 4\] and \[1, 3, 4, 4\]"):
        delta_e(torch.rand(2, 3, 4, 4), torch.rand(1, 3, 4, 4))
