import pytest
import torch
from torch import nn

from imgcolor.networks import ColourCNN, ColourUNet, ConvStack, RegressionCNN
from imgcolor.networks.blocks import pad_to_multiple


def conv(inputs: int, outputs: int, kernel: int = 3) -> int:
    """Weights and biases of a convolution."""
    return kernel * kernel * inputs * outputs + outputs


def norm(channels: int) -> int:
    """Scales and shifts of a batch norm."""
    return 2 * channels


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_regression_cnn_has_the_parameters_of_the_reports_table() -> None:
    by_hand = (
        (conv(1, 32) + norm(32))  # downconv1
        + (conv(32, 64) + norm(64))  # downconv2
        + (conv(64, 64) + norm(64))  # rfconv
        + (conv(64, 32) + norm(32))  # upconv1
        + (conv(32, 3) + norm(3))  # upconv2
        + conv(3, 3)  # finalconv
    )
    assert by_hand == 75_549
    assert parameters(RegressionCNN()) == by_hand


@pytest.mark.parametrize(("filters", "kernel", "colours", "inputs"), [(32, 3, 24, 1), (8, 5, 7, 3)])
def test_colour_cnn_parameters(filters: int, kernel: int, colours: int, inputs: int) -> None:
    nf, nc = filters, colours
    by_hand = (
        (conv(inputs, nf, kernel) + norm(nf))
        + (conv(nf, 2 * nf, kernel) + norm(2 * nf))
        + (conv(2 * nf, 2 * nf, kernel) + norm(2 * nf))
        + (conv(2 * nf, nf, kernel) + norm(nf))
        + (conv(nf, nc, kernel) + norm(nc))
        + conv(nc, nc, kernel)
    )
    assert parameters(ColourCNN(colours, filters, kernel, in_channels=inputs)) == by_hand


@pytest.mark.parametrize(("filters", "kernel", "colours", "inputs"), [(32, 3, 24, 1), (8, 5, 7, 3)])
def test_colour_unet_parameters(filters: int, kernel: int, colours: int, inputs: int) -> None:
    nf, nc = filters, colours
    by_hand = (
        (conv(inputs, nf, kernel) + norm(nf))
        + (conv(nf, 2 * nf, kernel) + norm(2 * nf))
        + (conv(2 * nf, 2 * nf, kernel) + norm(2 * nf))
        + (conv(4 * nf, nf, kernel) + norm(nf))  # rfconv and downconv2
        + (conv(2 * nf, nc, kernel) + norm(nc))  # upconv1 and downconv1
        + conv(nc + inputs, nc, kernel)  # upconv2 and the input
    )
    assert parameters(ColourUNet(colours, filters, kernel, in_channels=inputs)) == by_hand


@pytest.mark.parametrize("size", [(32, 32), (48, 80), (33, 35), (5, 7)])
@pytest.mark.parametrize(
    ("network", "channels"),
    [
        (RegressionCNN(4), 3),
        (ColourCNN(24, 4), 24),
        (ColourUNet(24, 4), 24),
        (ColourUNet(24, 4, stride=2), 24),
    ],
)
def test_the_output_has_the_height_and_width_of_the_input(
    network: nn.Module, channels: int, size: tuple[int, int]
) -> None:
    assert network(torch.rand(2, 1, *size)).shape == (2, channels, *size)


@pytest.mark.parametrize("network", [ColourCNN(5, 4), ColourUNet(5, 4)])
def test_odd_sizes_are_padded_and_cropped(network: nn.Module) -> None:
    """The last row and column are repeated up to a multiple of 4; where the size fits, nothing is touched."""
    network.eval()
    image = torch.rand(1, 1, 32, 40)
    assert pad_to_multiple(image, 4) is image
    odd = image[..., :29, :38]
    by_hand = torch.cat([odd, *[odd[..., -1:, :]] * 3], dim=-2)
    by_hand = torch.cat([by_hand, *[by_hand[..., -1:]] * 2], dim=-1)
    assert torch.equal(network(odd), network(by_hand)[..., :29, :38])
    # Far from the padding the result is that of the larger image.
    torch.testing.assert_close(network(odd)[..., :8, :8], network(image)[..., :8, :8])


@pytest.mark.parametrize("network", [RegressionCNN(8), ColourCNN(24, 8), ColourUNet(24, 8)])
def test_pooling_before_or_after_relu_is_the_same(network: nn.Module) -> None:
    """Problem F.2 of the assignment: the maximum and ReLU are both monotone, so they commute."""
    network.eval()
    images = torch.rand(4, 1, 32, 32)
    expected = network(images)
    for name in ("downconv1", "downconv2"):
        convolution, batch_norm, pool, relu = network.get_submodule(name)
        setattr(network, name, nn.Sequential(convolution, batch_norm, relu, pool))
    assert torch.equal(network(images), expected)


@pytest.mark.parametrize("network", [ColourCNN(5, 4, scale_factor=4), ColourUNet(5, 4, scale_factor=4)])
def test_scale_factor_repeats_the_pixels_of_the_input(network: nn.Module) -> None:
    network.eval()
    small = torch.rand(2, 1, 8, 10)
    logits = network(small)
    assert logits.shape == (2, 5, 32, 40)
    network.scale_factor = 1
    large = small.repeat_interleave(4, dim=-2).repeat_interleave(4, dim=-1)
    assert torch.equal(network(large), logits)


def test_unet_reads_the_input_where_the_cnn_cannot() -> None:
    """With everything before the last convolution silenced, the UNet's scores still follow the input."""
    images = torch.rand(1, 1, 32, 32)
    for network, follows in ((ColourUNet(24, 4), True), (ColourCNN(24, 4), False)):
        nn.init.zeros_(network.upconv2[1].weight)
        logits = network.eval()(images)
        assert (logits[0, 0, 4:-4, 4:-4].std() > 1e-4) == follows


@pytest.mark.parametrize("network", [ColourCNN(24, 4, dropout=0.5), ColourUNet(24, 4, dropout=0.5)])
def test_dropout_is_used_only_in_training(network: nn.Module) -> None:
    images = torch.rand(2, 1, 16, 16)
    assert not torch.equal(network(images), network(images))
    network.eval()
    assert torch.equal(network(images), network(images))


@pytest.mark.parametrize("kernel_size", [0, 2, -3])
def test_kernel_size_must_be_odd(kernel_size: int) -> None:
    with pytest.raises(ValueError, match="odd number"):
        ColourUNet(kernel_size=kernel_size)


def test_gradient_reaches_every_parameter() -> None:
    network = ColourUNet(5, 4)
    network(torch.rand(2, 1, 16, 16)).square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize("network", [RegressionCNN(4), ColourUNet(5, 4), ConvStack(2, 4)])
def test_a_training_network_compiles_to_one_graph(network: nn.Module) -> None:
    images = torch.rand(2, 1, 8, 8)
    torch._dynamo.reset()
    compiled = torch.compile(network, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(images), network(images))


def test_convolutions_with_a_stride_replace_pooling() -> None:
    """The first block of a U-Net with stride 2 is torch's convolution with stride 2, batch norm and ReLU."""
    network = ColourUNet(5, 4, stride=2)
    convolution, norm, relu = network.downconv1
    image = torch.rand(2, 1, 12, 16)
    reference = nn.functional.conv2d(image, convolution.weight, convolution.bias, stride=2, padding=1)
    assert reference.shape == (2, 4, 6, 8)
    torch.testing.assert_close(network.downconv1(image), relu(norm(reference)))
    assert parameters(network) == parameters(ColourUNet(5, 4))
    with pytest.raises(ValueError, match="stride: expected 1 or 2, found 3"):
        ColourUNet(stride=3)
