from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imgcolor.networks import ResidualUNet
from imgcolor.optim.muon import Muon, hasten, orthogonalized


@pytest.mark.parametrize("shape", [(12, 40), (40, 12), (16, 16)])
def test_all_directions_become_about_equally_long(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))

    update = orthogonalized(matrix)

    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    # Along the matrix's own directions and no others: that is what tells it from any orthogonal matrix.
    inside = left.mT @ update @ right.mT
    assert inside.diagonal().min() > 0.5
    assert inside.diagonal().max() < 1.4
    assert (inside - inside.diagonal().diag()).abs().max() < 0.05


def test_zero_gradients_leave_no_nan() -> None:
    assert orthogonalized(torch.zeros(4, 6)).equal(torch.zeros(4, 6))


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this torch has no Muon to compare with")
@pytest.mark.parametrize(("bfloat16", "tolerance"), [(True, 1e-6), (False, 1e-3)])
def test_hidden_weights_move_as_by_torchs_muon_and_the_rest_as_by_adamw(
    bfloat16: bool, tolerance: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    # torch's computes in bfloat16 on every processor; four steps move a weight by about 0.05.
    monkeypatch.setattr("imgcolor.optim.muon.has_fast_bfloat16", lambda *_: bfloat16)
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(2, 5, 3), nn.BatchNorm2d(5), nn.Conv2d(5, 7, 3), nn.BatchNorm2d(7), nn.Conv2d(7, 3, 1)
    )
    reference = [parameter.detach().clone().requires_grad_() for parameter in network.parameters()]
    hidden = 4  # the second convolution's weight: stem's weight and bias, norm's weight and bias go before
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


def test_gradients_survive_the_step() -> None:
    network = ResidualUNet(hidden_channels=(4, 6))
    optimizer = Muon(network.parameters())

    def closure() -> Tensor:
        loss = F.mse_loss(network(torch.rand(2, 1, 8, 8)), torch.rand(2, 3, 8, 8))
        loss.backward()
        return loss

    loss = optimizer.step(closure)

    assert loss is not None
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_a_saved_state_goes_on_as_if_there_had_been_no_break() -> None:
    def trained(breaks: bool) -> list[Tensor]:
        torch.manual_seed(0)
        network = ResidualUNet(hidden_channels=(4, 6))
        optimizer = Muon(network.parameters())
        for step in range(4):
            if breaks and step == 2:
                state = optimizer.state_dict()
                optimizer = Muon(network.parameters())
                optimizer.load_state_dict(state)
            F.mse_loss(network(torch.rand(2, 1, 8, 8)), torch.rand(2, 3, 8, 8)).backward()
            optimizer.step()
        return list(network.parameters())

    assert all(map(torch.equal, trained(True), trained(False)))


def test_what_is_no_networks_parameters_is_refused() -> None:
    with pytest.raises(ValueError, match="found groups"):
        Muon([{"params": [torch.zeros(2, 2)]}])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="momentum"):
        Muon([torch.zeros(2, 2)], momentum=1.0)


def test_the_command_line_finds_it(tiny_fit: Callable[..., Path]) -> None:
    run = tiny_fit(
        "experiments/horses/best_regression.yaml",
        "--model.optimizer=imgcolor.optim.Muon",
        "--model.optimizer.lr=0.002",
    )

    assert "imgcolor.optim.Muon" in (run / "config.yaml").read_text()


@pytest.mark.parametrize(
    "make",
    [
        lambda weights: torch.optim.Adam(weights, amsgrad=True),
        lambda weights: torch.optim.AdamW(weights, lr=0.01),
        lambda weights: torch.optim.SGD(weights, lr=0.1, momentum=0.9),
    ],
)
def test_hastened_steps_are_the_plain_ones_whatever_the_order_in_memory(
    make: Callable[..., torch.optim.Optimizer],
) -> None:
    """As when a checkpoint of other strides is loaded, or weights change theirs between two steps."""
    torch.manual_seed(0)
    start, *gradients = torch.randn(6, 4, 3, 3, 5).unbind(-1)
    found = []
    for fast in (False, True):
        weight = nn.Parameter(start.clone(memory_format=torch.channels_last))
        optimizer = make([weight])
        if fast:
            hasten(optimizer)
            assert optimizer.param_groups[0]["fused"]
        for number, gradient in enumerate(gradients):
            if fast and number == 2:
                state = optimizer.state_dict()
                for name, value in state["state"][0].items():
                    state["state"][0][name] = value.contiguous()
                state["param_groups"][0].update(fused=None, foreach=True)
                optimizer = make([weight])
                hasten(optimizer)
                optimizer.load_state_dict(state)
                assert optimizer.param_groups[0]["fused"]
                assert not optimizer.param_groups[0]["foreach"]
            if fast and number == 3:
                weight.data = weight.data.contiguous()
            weight.grad = torch.empty_like(weight).copy_(gradient)
            optimizer.step()
        found.append(weight.detach())
    torch.testing.assert_close(found[1], found[0])


def test_what_is_derived_and_what_the_user_says_is_not_fused() -> None:
    def weights() -> list[nn.Parameter]:
        return list(nn.Conv2d(2, 2, 3).parameters())

    muon = Muon(nn.Sequential(nn.Conv2d(2, 2, 3), nn.Conv2d(2, 2, 3), nn.Conv2d(2, 2, 3)).parameters())
    for optimizer, fused, foreach in (
        (muon, None, True),
        (torch.optim.Adam(weights(), fused=False), False, None),
        (torch.optim.SGD(weights(), lr=0.1, foreach=False), None, False),
        (torch.optim.Adam(weights(), differentiable=True), None, None),
        (torch.optim.Adam(weights(), lr=torch.tensor(1e-3)), None, None),
    ):
        hasten(optimizer)
        group = optimizer.param_groups[0]
        assert (group["fused"], group["foreach"]) == (fused, foreach)
