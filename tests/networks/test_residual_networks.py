import pytest
import torch
import torch.nn.functional as F
from torch import nn

from imgcolor.baselines import GreyCopy
from imgcolor.networks import ResidualUNet, ResidualUpscaler
from imgcolor.networks.blocks import ResidualBlock


def stirred(network: nn.Module) -> nn.Module:
    """A network whose head no longer starts at zero, as after training."""
    nn.init.normal_(network.head.weight, std=0.3)  # type: ignore[arg-type]
    return network.eval()


@pytest.mark.parametrize("size", [(32, 32), (30, 17), (5, 64), (1, 1)])
def test_unet_keeps_any_height_and_width(size: tuple[int, int]) -> None:
    assert ResidualUNet(24, (8, 8, 8))(torch.rand(2, 1, *size)).shape == (2, 24, *size)


def test_an_untrained_unet_gives_its_base() -> None:
    images = torch.rand(2, 1, 9, 8)
    assert torch.equal(
        ResidualUNet(hidden_channels=(4, 4), base=GreyCopy())(images), images.repeat(1, 3, 1, 1)
    )


@pytest.mark.parametrize(
    ("luminance", "weights"), [("mean", [1 / 3, 1 / 3, 1 / 3]), ("luma", [0.299, 0.587, 0.114])]
)
def test_unet_keeps_the_grey_of_its_input_exactly(luminance: str, weights: list[float]) -> None:
    network = stirred(ResidualUNet(hidden_channels=(4, 4), luminance=luminance))  # type: ignore[arg-type]
    images = torch.rand(2, 1, 8, 8)
    output = network(images)
    grey = sum(weight * output[:, channel] for channel, weight in enumerate(weights))
    torch.testing.assert_close(grey, images[:, 0], atol=1e-5, rtol=0)
    assert (output - images).abs().max() > 0.01  # and has colour


def test_unet_passes_single_pixels_at_full_resolution() -> None:
    network = stirred(ResidualUNet(hidden_channels=(8, 8, 8)))
    images = torch.full((1, 1, 16, 16), 0.5)
    changed = images.clone()
    changed[0, 0, 7, 6] = 0.6
    difference = (network(changed) - network(images)).abs().sum(dim=1)[0]
    assert difference[7, 6] > 2 * difference[0, 0]


def test_the_output_of_the_unet_depends_on_the_row() -> None:
    output = stirred(ResidualUNet(hidden_channels=(8, 8)))(torch.full((1, 1, 32, 32), 0.5))
    assert (output[..., 8, 16] - output[..., 24, 16]).abs().max() > 1e-3


def test_residual_networks_have_less_than_a_million_parameters() -> None:
    for network in (ResidualUNet(24), ResidualUpscaler(), ResidualUpscaler(24, keep_mean=False)):
        assert 100_000 < sum(p.numel() for p in network.parameters()) < 1_000_000


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_upscaler_keeps_the_mean_of_each_block(factor: int) -> None:
    network = stirred(ResidualUpscaler(hidden_channels=8, blocks=1, fine_channels=4, scale_factor=factor))
    images = torch.rand(2, 3, 5, 3)
    output = network(images)
    assert output.shape == (2, 3, 5 * factor, 3 * factor)
    torch.testing.assert_close(F.avg_pool2d(output, factor), images, atol=1e-5, rtol=0)


def test_an_untrained_upscaler_gives_bicubic_upsampling() -> None:
    images = torch.rand(1, 3, 6, 6)
    expected = F.interpolate(images, scale_factor=4, mode="bicubic", align_corners=False)
    output = ResidualUpscaler(hidden_channels=8, blocks=1, fine_channels=4, keep_mean=False)(images)
    torch.testing.assert_close(output, expected)


def test_without_batch_norm_images_do_not_affect_each_other() -> None:
    network = stirred(
        ResidualUpscaler(hidden_channels=8, blocks=2, fine_channels=4, batch_norm=False)
    ).train()
    images = torch.rand(3, 3, 4, 4)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    torch.testing.assert_close(network(images)[:1], network(images[:1]))


def test_upscaler_with_palette_colours() -> None:
    network = ResidualUpscaler(
        24, hidden_channels=8, blocks=1, fine_channels=4, scale_factor=2, keep_mean=False
    )
    assert network(torch.rand(1, 3, 4, 4)).shape == (1, 24, 8, 8)


@pytest.mark.parametrize(
    ("network", "options", "message"),
    [
        (ResidualUNet, {"hidden_channels": ()}, "hidden_channels"),
        (ResidualUNet, {"blocks": 0}, "blocks"),
        (ResidualUNet, {"luminance": "lab"}, "luminance"),
        (ResidualUNet, {"out_channels": 24, "luminance": "mean"}, "found 1 and 24"),
        (ResidualUpscaler, {"scale_factor": 1}, "scale_factor"),
        (ResidualUpscaler, {"out_channels": 24}, "keep_mean"),
    ],
)
def test_bad_arguments(network: type[nn.Module], options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        network(**options)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_names_of_weights_do_not_depend_on_the_dropout(batch_norm: bool) -> None:
    """Otherwise a network with dropout could not start from one that was trained without."""
    without, with_dropout = (ResidualBlock(4, dropout, batch_norm) for dropout in (0.0, 0.5))
    assert list(without.state_dict()) == list(with_dropout.state_dict())


@pytest.mark.parametrize(("batch_norm", "moved"), [(False, {2: 3}), (True, {3: 4, 4: 5})])
def test_older_checkpoints_with_dropout_are_loaded(batch_norm: bool, moved: dict[int, int]) -> None:
    """In these, the dropout was one of the numbered layers."""
    saved, loaded = (nn.Sequential(ResidualBlock(4, 0.5, batch_norm)).eval() for _ in range(2))
    for parameter in saved.parameters():
        nn.init.normal_(parameter)
    old = {}
    for name, value in saved.state_dict().items():
        block, layers, number, rest = name.split(".")
        old[f"{block}.{layers}.{moved.get(int(number), number)}.{rest}"] = value
    assert list(old) != list(saved.state_dict())
    loaded.load_state_dict(old)
    maps = torch.rand(1, 4, 6, 6)
    assert torch.equal(loaded(maps), saved(maps))
