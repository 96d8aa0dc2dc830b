from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgcolor.networks import ResidualUNet
from imgcolor.optim.muon import Muon, orthogonalized


@pytest.mark.parametrize("shape", [(12, 40), (40, 12), (16, 16)])
def test_all_singular_values_become_about_one(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))

    update = orthogonalized(matrix)

    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    # Diagonal in the matrix's own singular vectors: otherwise any orthogonal matrix would pass.
    inside = left.mT @ update @ right.mT
    assert inside.diagonal().min() > 0.5
    assert inside.diagonal().max() < 1.4
    assert (inside - inside.diagonal().diag()).abs().max() < 0.05


def test_zero_gradients_leave_no_nan() -> None:
    assert orthogonalized(torch.zeros(4, 6)).equal(torch.zeros(4, 6))


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this torch has no Muon to compare with")
@pytest.mark.parametrize(("bfloat16", "tolerance"), [(True, 1e-6), (False, 1e-3)])
def test_hidden_weights_equal_torchs_muon_and_the_others_adamw(
    bfloat16: bool, tolerance: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    # torch's Muon computes in bfloat16 on every processor. Four steps change a weight by about 0.05.
    monkeypatch.setattr("imgcolor.optim.muon.has_fast_bfloat16", lambda *_: bfloat16)
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(2, 5, 3), nn.BatchNorm2d(5), nn.Conv2d(5, 7, 3), nn.BatchNorm2d(7), nn.Conv2d(7, 3, 1)
    )
    reference = [parameter.detach().clone().requires_grad_() for parameter in network.parameters()]
    hidden = 4  # the index of the second convolution's weight
    matrix = reference[hidden].detach().flatten(1).clone().requires_grad_()
    theirs = [
        torch.optim.Muon([matrix], lr=0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(reference[:hidden] + reference[hidden + 1 :], lr=0.01, weight_decay=0.1),
    ]
    ours = Muon(network.parameters(), lr=0.01, weight_decay=0.1)

    for _ in range(4):
        for mine, other in zip(network.parameters(), reference, strict=True):
            mine.grad = torch.randn(mine.shape)
            other.grad = mine.grad.clone()
        matrix.grad = network[2].weight.grad.flatten(1).clone()
        for optimizer in [ours, *theirs]:
            optimizer.step()

    assert (network[2].weight.flatten(1) - matrix).abs().max() < tolerance
    for index, (mine, other) in enumerate(zip(network.parameters(), reference, strict=True)):
        if index != hidden:
            assert torch.equal(mine, other)


def test_gradients_are_kept_and_the_closure_is_called() -> None:
    network = ResidualUNet(hidden_channels=(4, 6))
    optimizer = Muon(network.parameters())

    def closure() -> Tensor:
        loss = F.mse_loss(network(torch.rand(2, 1, 8, 8)), torch.rand(2, 3, 8, 8))
        loss.backward()
        return loss

    loss = optimizer.step(closure)

    assert loss is not None
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_resuming_from_a_saved_state_changes_nothing() -> None:
    def trained(resumes: bool) -> list[Tensor]:
        torch.manual_seed(0)
        network = ResidualUNet(hidden_channels=(4, 6))
        optimizer = Muon(network.parameters())
        for step in range(4):
            if resumes and step == 2:
                state = optimizer.state_dict()
                optimizer = Muon(network.parameters())
                optimizer.load_state_dict(state)
            F.mse_loss(network(torch.rand(2, 1, 8, 8)), torch.rand(2, 3, 8, 8)).backward()
            optimizer.step()
        return list(network.parameters())

    assert all(map(torch.equal, trained(True), trained(False)))


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="found parameter groups"):
        Muon([{"params": [torch.zeros(2, 2)]}])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="momentum"):
        Muon([torch.zeros(2, 2)], momentum=1.0)


def test_the_command_line_accepts_it(tiny_fit: Callable[..., Path]) -> None:
    run = tiny_fit(
        "experiments/horses/best_regression.yaml",
        "--model.optimizer=imgcolor.optim.Muon",
        "--model.optimizer.lr=0.002",
    )

    assert "imgcolor.optim.Muon" in (run / "config.yaml").read_text()
