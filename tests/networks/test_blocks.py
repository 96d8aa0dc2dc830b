"""Convolutions that are trained as something else that they equal: the same figures as torch's own."""

from collections.abc import Sequence

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgcolor.networks import ColourCNN, ColourUNet, ConvStack, RegressionCNN
from imgcolor.networks.blocks import ConvBlock, SameConv2d, Upsample
from plain_networks import PlainCNN, PlainStack, PlainUNet


def assert_same_training(
    found: Tensor, expected: Tensor, inputs: Sequence[Tensor], references: Sequence[Tensor] | None = None
) -> None:
    """Output and all gradients agree; the references are the inputs that the expected output was made of."""
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    direction = torch.randn_like(expected) / expected.numel() ** 0.5
    wanted = torch.autograd.grad(expected, references or inputs, direction)
    for gradient, reference in zip(torch.autograd.grad(found, inputs, direction), wanted, strict=True):
        torch.testing.assert_close(gradient, reference, atol=1e-5, rtol=1e-4)


def leaf(*shape: int) -> Tensor:
    return torch.randn(shape).to(memory_format=torch.channels_last).requires_grad_()


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("outputs", [3, 8])
@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("channels_last", [True, False])
def test_a_convolution_over_doubled_maps(kernel: int, outputs: int, channels_last: bool) -> None:
    convolution = SameConv2d(6, outputs, kernel)
    if channels_last:
        convolution = convolution.to(memory_format=torch.channels_last)
    maps = leaf(2, 6, 5, 7)
    plain = F.interpolate(maps, scale_factor=2, mode="nearest")
    expected = F.conv2d(plain, convolution.weight, convolution.bias, padding=kernel // 2)
    assert_same_training(convolution(Upsample()(maps)), expected, [maps, *convolution.parameters()])


@pytest.mark.parametrize("kernel", [1, 3])
def test_a_convolution_over_several_maps_of_which_one_is_doubled(kernel: int) -> None:
    convolution = SameConv2d(4 + 3 + 1, 5, kernel)
    small, skip, image = leaf(2, 4, 4, 3), leaf(2, 3, 8, 6), leaf(2, 1, 8, 6)
    joined = torch.cat([F.interpolate(small, scale_factor=2, mode="nearest"), skip, image], dim=1)
    expected = F.conv2d(joined, convolution.weight, convolution.bias, padding=kernel // 2)
    found = convolution(Upsample()(small), skip, image)
    assert_same_training(found, expected, [small, skip, image, *convolution.parameters()])


@pytest.mark.parametrize("kernel", [3, 5])
def test_a_convolution_to_few_channels(kernel: int) -> None:
    convolution = SameConv2d(8, 3, kernel)
    maps = leaf(2, 8, 9, 12)
    expected = F.conv2d(maps, convolution.weight, convolution.bias, padding=kernel // 2)
    assert_same_training(convolution(maps), expected, [maps, *convolution.parameters()])


def test_groups() -> None:
    convolution = SameConv2d(8, 4, 3, groups=2)
    maps = leaf(2, 8, 4, 4)
    expected = F.conv2d(Upsample()(maps), convolution.weight, convolution.bias, padding=1, groups=2)
    assert_same_training(convolution(Upsample()(maps)), expected, [maps, *convolution.parameters()])


def test_doubled_maps_that_were_changed_in_place_are_read_as_they_are() -> None:
    convolution = SameConv2d(3, 3, 3)
    doubled = Upsample()(torch.randn(1, 3, 4, 4))
    doubled[:, :, 0, 0] = 9.0
    expected = F.conv2d(doubled, convolution.weight, convolution.bias, padding=1)
    torch.testing.assert_close(convolution(doubled), expected)


def test_changed_before_doubling_was_read_and_gradients_that_are_asked_for() -> None:
    convolution = SameConv2d(3, 3, 3)
    maps = torch.randn(1, 3, 4, 4)
    doubled = Upsample()(maps)
    expected = F.conv2d(doubled, convolution.weight, convolution.bias, padding=1)
    maps.zero_()
    torch.testing.assert_close(convolution(doubled), expected)
    doubled = Upsample()(torch.randn(1, 3, 4, 4, requires_grad=True))
    doubled.retain_grad()
    convolution(doubled).sum().backward()
    assert doubled.grad is not None
    seen: list[Tensor] = []
    doubled = Upsample()(torch.randn(1, 3, 4, 4, requires_grad=True))
    doubled.register_hook(seen.append)
    convolution(doubled).sum().backward()
    assert seen
    with torch.inference_mode():
        convolution(Upsample()(maps))


def test_convolutions_of_another_project() -> None:
    network = ColourUNet(6, 4)
    network.finalconv = nn.Conv2d(7, 2, 3, padding=1)
    network.upconv1[0] = nn.Conv2d(16, 4, 5, padding=2)
    assert network(torch.rand(2, 1, 8, 8)).shape == (2, 2, 8, 8)


@pytest.mark.parametrize("frozen", ["reader", "doubler", "both"])
def test_a_part_in_evaluation_mode(frozen: str) -> None:
    """As when somebody trains a part of a network and freezes the rest."""
    doubler, convolution = Upsample(), SameConv2d(3, 5, 3)
    maps = torch.randn(1, 3, 4, 4)
    expected = convolution.eval()(doubler.eval()(maps))
    doubler.train(frozen == "reader")
    convolution.train(frozen == "doubler")
    torch.testing.assert_close(convolution(doubler(maps)), expected)


def test_hooks_see_the_doubled_maps_in_training_too() -> None:
    block = ConvBlock(SameConv2d(2, 3, 3), nn.ReLU(), Upsample())
    seen = []
    block.register_forward_hook(lambda *call: seen.append(call[-1]))
    block(torch.randn(1, 2, 4, 4))
    assert seen[0].shape == (1, 3, 8, 8)
    assert torch.equal(seen[0][..., ::2, ::2], seen[0][..., 1::2, 1::2])


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
def test_the_courses_networks_are_those_of_torchs_layers(
    network: nn.Module, plain: nn.Module, training: bool
) -> None:
    """The plain ones are what the benchmark trains beside them."""
    network.train(training)
    plain.train(training).load_state_dict(network.state_dict())
    images = torch.rand(3, 1, 16, 24)
    weights = [list(one.parameters()) for one in (network, plain)]
    assert_same_training(network(images), plain(images), *weights)
