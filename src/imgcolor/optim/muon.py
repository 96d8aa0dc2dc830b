"""Optimizers for networks of convolutions."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, Adam, AdamW, Optimizer

from imgcolor.utils.precision import has_fast_bfloat16

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


def hasten(optimizer: Optimizer) -> None:
    """Have torch's Adam, AdamW or SGD move all weights at once, where the user has not said how.

    On the CPU they become ``fused``, which takes a third of the time and rounds otherwise. What is derived from
    them, and what is on other devices, becomes ``foreach``, with the same figures bit for bit. A group that says
    ``foreach``, ``fused`` or ``differentiable``, or whose learning rate is a tensor, stays as it is. A state that
    is loaded brings no other way with it.

    Args:
        optimizer: Any; of others nothing changes.
    """
    if not isinstance(optimizer, Adam | AdamW | SGD):
        return
    ways = [_way(optimizer, group) for group in optimizer.param_groups]

    def choose(optimizer: Optimizer) -> None:
        for group, way in zip(optimizer.param_groups, ways, strict=False):  # groups can be added later
            group.update(way)

    choose(optimizer)
    optimizer.register_load_state_dict_post_hook(choose)
    if any(group["fused"] for group in optimizer.param_groups):
        optimizer.register_step_pre_hook(_lay_moments_as_weights)


def _way(optimizer: Optimizer, group: dict[str, Any]) -> dict[str, bool]:
    said = group["foreach"] is not None or group["fused"] is not None or group["differentiable"]
    if said or isinstance(group["lr"], Tensor):
        return {}
    weights = group["params"]
    fusible = type(optimizer) in (Adam, AdamW, SGD) and all(
        weight.device.type == "cpu" and weight.is_floating_point() for weight in weights
    )
    return {"fused": True, "foreach": False} if fusible else {"foreach": True}


def _lay_moments_as_weights(optimizer: Optimizer, *_: Any) -> None:
    """Have moments lie in memory in the order of their weights.

    torch's fused steps on the CPU go through both in the order of memory, and do not look whether it is one order.
    A checkpoint can hold them in another: they would be mixed up without a word.
    """
    for weight, state in optimizer.state.items():
        for name, moment in state.items():
            if (
                isinstance(moment, Tensor)
                and moment.shape == weight.shape
                and moment.stride() != weight.stride()
            ):
                state[name] = torch.empty_like(weight, dtype=moment.dtype).copy_(moment)
