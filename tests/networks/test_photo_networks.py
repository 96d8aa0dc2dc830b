import pytest
import torch

from imgcolor.networks.chroma_unet import ChromaUNet
from imgcolor.networks.edsr import EDSR


def small_chroma_unet(**options: object) -> ChromaUNet:
    torch.manual_seed(0)
    return ChromaUNet((8, 16, 20), (1, 1, 1), (1, 1), attention_blocks=1, heads=2, **options).eval()  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(16, 16), (64, 48), (16, 160)])
def test_chroma_is_a_quarter_of_the_luma(size: tuple[int, int]) -> None:
    chroma = small_chroma_unet()(torch.rand(2, 1, *size))
    assert chroma.shape == (2, 2, size[0] // 4, size[1] // 4)
    assert chroma.isfinite().all()


def test_no_hints_are_empty_hints() -> None:
    network, luma = small_chroma_unet(), torch.rand(1, 1, 32, 32)
    assert torch.equal(network(luma), network(luma, torch.zeros(1, 3, 8, 8)))


def test_a_hint_changes_the_chroma_everywhere() -> None:
    network, luma = small_chroma_unet(), torch.rand(1, 1, 64, 64)
    hints = torch.zeros(1, 3, 16, 16)
    hints[:, :, 2, 2] = torch.tensor([0.2, -0.1, 1.0])
    difference = (network(luma, hints) - network(luma)).abs().amax(dim=1)
    assert (difference > 0).all()  # attention relates all pixels


def test_stochastic_depth_acts_in_training_alone() -> None:
    network, luma = small_chroma_unet(drop_path=0.9), torch.rand(2, 1, 32, 32)
    assert torch.equal(network(luma), network(luma))
    network.train()
    torch.manual_seed(0)
    first = network(luma)
    assert any(not torch.equal(network(luma), first) for _ in range(5))


def test_the_default_network_has_less_than_six_million_parameters() -> None:
    assert sum(parameter.numel() for parameter in ChromaUNet().parameters()) < 6_000_000


@pytest.mark.parametrize("scale_factor", [2, 3, 4])
def test_edsr_upsamples(scale_factor: int) -> None:
    images = torch.rand(2, 3, 7, 9)
    assert EDSR(scale_factor, 8, 2)(images).shape == (2, 3, 7 * scale_factor, 9 * scale_factor)


def test_edsr_sees_no_further_than_its_receptive_field() -> None:
    torch.manual_seed(0)
    network = EDSR(2, 8, 2).eval()
    images = torch.rand(1, 3, 41, 41, requires_grad=True)
    network(images)[..., 40:42, 40:42].sum().backward()  # the pixels of input pixel 20
    assert images.grad is not None
    seen = images.grad.abs().sum(dim=(0, 1)).nonzero()
    assert (seen - 20).abs().max() <= network.receptive_field


def test_the_default_edsr_has_at_most_600_000_parameters() -> None:
    assert sum(parameter.numel() for parameter in EDSR().parameters()) <= 600_000
