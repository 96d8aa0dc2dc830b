"""Optimizers for networks of convolutions."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import AdamW

from imgcolor.precision import has_fast_bfloat16

_STEPS = 5
_A, _B, _C = 3.4445, -4.7750, 2.0315


class Muon(AdamW):
    """Muon for the weights between the first layer and the last, AdamW for everything else.

    The momentum of a weight, seen as a matrix [outputs, inputs × kernel], is made nearly orthogonal, so that every
    direction of it is learned at the same pace (Keller Jordan et al. 2024, "Muon: An optimizer for hidden layers
    in neural networks"). Steps are scaled to the size of AdamW's (Liu et al. 2025, "Muon is scalable for LLM
    training"), so one learning rate does for both. ``torch.optim.Muon`` takes matrices alone; this takes a whole
    network.

    Args:
        params: A network's parameters, in the order of its layers; no groups.
        lr: Learning rate of both.
        weight_decay: Decoupled weight decay of both.
        momentum: Of Muon's, with Nesterov's look ahead.
        betas: AdamW's.

    Raises:
        ValueError: If ``params`` are groups, or momentum is outside [0, 1).
    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float = 3e-3,
        weight_decay: float = 0.05,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.999),
    ) -> None:
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum: expected a number in [0, 1), found {momentum}")
        all_params = list(params)
        if any(not isinstance(parameter, Tensor) for parameter in all_params):
            raise ValueError("params: expected a network's parameters, found groups of them")
        matrices = [parameter for parameter in all_params if parameter.ndim >= 2][1:-1]
        chosen = set(map(id, matrices))
        others = [parameter for parameter in all_params if id(parameter) not in chosen]
        groups: list[dict[str, Any]] = [
            {"params": group, "momentum": value}
            for group, value in ((matrices, momentum), (others, None))
            if group
        ]
        super().__init__(groups, lr=lr, betas=betas, weight_decay=weight_decay)

    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]  # torch's overloads say the same
        """Take a step.

        Args:
            closure: Computes the loss and its gradients.

        Returns:
            What the closure returned.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        gradients: dict[Tensor, Tensor] = {}
        for group in self.param_groups:
            if group["momentum"] is None:
                continue
            for parameter in group["params"]:
                if parameter.grad is not None:
                    gradients[parameter] = parameter.grad
                    self._step_matrix(parameter, group)
                    parameter.grad = None  # AdamW passes over it
        super().step()
        for parameter, gradient in gradients.items():
            parameter.grad = gradient
        return loss

    @torch.no_grad()
    def _step_matrix(self, parameter: Tensor, group: dict[str, Any]) -> None:
        gradient = parameter.grad
        assert gradient is not None
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros(())  # AdamW looks for it when a state is loaded
            state["momentum_buffer"] = torch.zeros_like(parameter)
        state["step"] += 1
        momentum: Tensor = state["momentum_buffer"]
        momentum.lerp_(gradient, 1 - group["momentum"])
        update = orthogonalized(gradient.lerp(momentum, group["momentum"]).flatten(1))
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.add_(update.view(parameter.shape), alpha=-0.2 * max(update.shape) ** 0.5 * group["lr"])


def orthogonalized(matrix: Tensor) -> Tensor:
    """The nearest orthogonal matrix, roughly: all singular values come between 0.6 and 1.3.

    Five Newton-Schulz steps of the fifth order, with Jordan's coefficients, in bfloat16, which is enough, or in
    float32 where the processor would only imitate that.

    Args:
        matrix: Float [m, n].

    Returns:
        [m, n], of the same dtype.
    """
    flat = matrix.to(torch.bfloat16 if has_fast_bfloat16(matrix.device) else torch.float32)
    wide = flat if flat.shape[0] <= flat.shape[1] else flat.T
    wide = wide / wide.norm().clamp(min=1e-7)
    for _ in range(_STEPS):
        gram = wide @ wide.T
        wide = torch.addmm(wide, torch.addmm(gram, gram, gram, beta=_B, alpha=_C), wide, beta=_A)
    flat = wide if flat.shape[0] <= flat.shape[1] else wide.T
    return flat.to(matrix.dtype).contiguous()
