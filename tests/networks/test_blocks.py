"""Convolutions that training on the CPU computes in another way give the results of torch's own."""

from collections.abc import Sequence

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from common.plain_networks import PlainCNN, PlainStack, PlainUNet
from imgcolor.networks import ColourCNN, ColourUNet, ConvStack, RegressionCNN
from imgcolor.networks.blocks import SameConv2d, UpsampleConv2d, upsample


def assert_same_training(
    found: Tensor, expected: Tensor, inputs: Sequence[Tensor], references: Sequence[Tensor] | None = None
) -> None:
    """Output and all gradients agree; ``references`` are the inputs of the expected output."""
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    direction = torch.randn_like(expected) / expected.numel() ** 0.5
    wanted = torch.autograd.grad(expected, references or inputs, direction)
    for gradient, reference in zip(torch.autograd.grad(found, inputs, direction), wanted, strict=True):
        torch.testing.assert_close(gradient, reference, atol=1e-5, rtol=1e-4)


def leaf(*shape: int) -> Tensor:
    return torch.randn(shape).to(memory_format=torch.channels_last).requires_grad_()


def plain_conv2d(convolution: nn.Conv2d, maps: Tensor) -> Tensor:
    padding = convolution.kernel_size[0] // 2
    return F.conv2d(maps, convolution.weight, convolution.bias, padding=padding, groups=convolution.groups)


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("outputs", [3, 8])
@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("channels_last", [True, False])
def test_convolution_of_upsampled_maps(kernel: int, outputs: int, channels_last: bool) -> None:
    convolution = UpsampleConv2d(6, outputs, kernel)
    if channels_last:
        convolution = convolution.to(memory_format=torch.channels_last)
    coarse = leaf(2, 6, 5, 7)
    expected = plain_conv2d(convolution, upsample(coarse, 2))
    assert_same_training(convolution(coarse), expected, [coarse, *convolution.parameters()])


@pytest.mark.parametrize("outputs", [3, 5])
@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("fine_channels", [1, 6])
def test_convolution_of_coarse_and_fine_maps(kernel: int, outputs: int, fine_channels: int) -> None:
    convolution = UpsampleConv2d(4 + fine_channels, outputs, kernel)
    coarse, fine = leaf(2, 4, 4, 3), leaf(2, fine_channels, 8, 6)
    expected = plain_conv2d(convolution, torch.cat([upsample(coarse, 2), fine], dim=1))
    assert_same_training(convolution(coarse, fine), expected, [coarse, fine, *convolution.parameters()])


@pytest.mark.parametrize("kernel", [3, 5])
def test_convolution_to_few_channels(kernel: int) -> None:
    convolution = SameConv2d(8, 3, kernel)
    maps = leaf(2, 8, 9, 12)
    expected = plain_conv2d(convolution, maps)
    assert_same_training(convolution(maps), expected, [maps, *convolution.parameters()])


def test_groups() -> None:
    convolution = SameConv2d(8, 4, 3, groups=2)
    maps = leaf(2, 8, 4, 4)
    assert_same_training(
        convolution(maps), plain_conv2d(convolution, maps), [maps, *convolution.parameters()]
    )


def test_upsampling_repeats_pixels() -> None:
    maps = torch.randn(1, 3, 4, 4)
    upsampled = upsample(maps, 2)
    assert upsampled.shape == (1, 3, 8, 8)
    assert torch.equal(upsampled, maps.repeat_interleave(2, dim=-2).repeat_interleave(2, dim=-1))
    assert upsample(maps, 1) is maps


def test_a_frozen_convolution_gives_the_same_output() -> None:
    convolution = UpsampleConv2d(3, 5, 3)
    maps = torch.randn(1, 3, 4, 4)
    torch.testing.assert_close(convolution(maps), convolution.eval()(maps))


def test_convolutions_of_another_project() -> None:
    network = ColourUNet(6, 4)
    network.finalconv = UpsampleConv2d(7, 2, 3)
    network.upconv1[0] = nn.Conv2d(16, 4, 5, padding=2)
    assert network(torch.rand(2, 1, 8, 8)).shape == (2, 2, 8, 8)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("network", "plain"),
    [
        (RegressionCNN(), PlainCNN(3)),
        (ColourCNN(), PlainCNN(24)),
        (ColourUNet(), PlainUNet()),
        (ConvStack(2, 16, 5, tanh=True), PlainStack()),
    ],
)
def test_the_courses_networks_equal_those_of_torchs_layers(
    network: nn.Module, plain: nn.Module, training: bool
) -> None:
    """The benchmarks compare imgcolor's networks with the plain ones."""
    network.train(training)
    plain.train(training).load_state_dict(network.state_dict())
    images = torch.rand(3, 1, 16, 24)
    weights = [list(one.parameters()) for one in (network, plain)]
    assert_same_training(network(images), plain(images), *weights)
