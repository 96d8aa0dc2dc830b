import pytest
import torch
import torch.nn.functional as F

from imgcolor.networks import ConvStack


def parameters(**options: object) -> int:
    return sum(p.numel() for p in ConvStack(**options).parameters())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "by_hand"),
    [
        ({"layers": 1, "kernel_size": 3}, 9 * 1 * 3 + 3),
        ({"layers": 2, "kernel_size": 5, "hidden_channels": 16}, (25 * 16 + 16) + (25 * 16 * 3 + 3)),
        (
            {"layers": 4, "kernel_size": 3, "hidden_channels": 8},
            (9 * 8 + 8) + 2 * (9 * 8 * 8 + 8) + (9 * 8 * 3 + 3),
        ),
        (
            {"layers": 2, "kernel_size": 3, "hidden_channels": 4, "batch_norm": True},
            9 * 4 + 4 + 8 + 9 * 4 * 3 + 3 + 6,
        ),
        (
            {"layers": 3, "kernel_size": 3, "hidden_channels": 8, "groups": 4},
            (9 * 8 + 8) + (9 * 2 * 8 + 8) + (9 * 8 * 3 + 3),
        ),
        (
            {"layers": 2, "kernel_size": 5, "hidden_channels": 8, "separable": True},
            (25 + 1) + (1 * 8 + 8) + (25 * 8 + 8) + (8 * 3 + 3),
        ),
    ],
)
def test_parameters_by_hand(options: dict[str, object], by_hand: int) -> None:
    assert parameters(**options) == by_hand


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(80, 80), (37, 52), (1, 1)])
def test_the_output_has_the_size_of_the_input(layers: int, size: tuple[int, int]) -> None:
    assert ConvStack(layers, 4)(torch.rand(2, 1, *size)).shape == (2, 3, *size)


def test_relu_follows_all_convolutions_but_the_last() -> None:
    torch.manual_seed(0)
    output = ConvStack(2, 8)(torch.randn(4, 1, 16, 16))
    assert (output < 0).any()
    kinds = [
        [type(layer).__name__ for layer in block] for block in ConvStack(3, 8, batch_norm=True).children()
    ]
    assert kinds == [["SameConv2d", "BatchNorm2d", "ReLU"]] * 2 + [["SameConv2d", "BatchNorm2d"]]


def test_tanh_bounds_the_output() -> None:
    torch.manual_seed(0)
    output = ConvStack(2, 8, tanh=True)(100 * torch.randn(2, 1, 16, 16))
    assert output.abs().max() <= 1


@pytest.mark.parametrize(
    "options",
    [
        {"layers": 0},
        {"hidden_channels": 0},
        {"hidden_channels": 8, "groups": 3},
        {"separable": True, "groups": 2},
        {"kernel_size": 4},
    ],
)
def test_bad_arguments(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        ConvStack(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("kernel_size", [3, 5])
def test_last_convolution_has_the_gradients_of_torchs_own(kernel_size: int) -> None:
    stack = ConvStack(2, 8, kernel_size)
    first, last = stack.conv1[0], stack.conv2[0]
    images = torch.rand(2, 1, 9, 12)
    padding = kernel_size // 2
    middle = F.conv2d(images, first.weight, first.bias, padding=padding).relu()
    expected = F.conv2d(middle, last.weight, last.bias, padding=padding)
    target = torch.rand(2, 3, 9, 12)
    wanted = torch.autograd.grad(F.mse_loss(expected, target), list(stack.parameters()))

    found = stack(images)
    gradients = torch.autograd.grad(F.mse_loss(found, target), list(stack.parameters()))

    torch.testing.assert_close(found, expected)
    for gradient, reference in zip(gradients, wanted, strict=True):
        torch.testing.assert_close(gradient, reference)
    torch.testing.assert_close(stack.eval()(images), expected)
