"""Muon, an optimizer for hidden layers, together with AdamW for all other parameters."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from imgcolor.utils.precision import has_fast_bfloat16

_NEWTON_SCHULZ_STEPS = 5
_A, _B, _C = 3.4445, -4.7750, 2.0315


class Muon(Optimizer):
    """Muon for the weights between the first and the last layer, AdamW for all other parameters.

    The momentum of a weight, as a matrix [out_channels, in_channels * kernel size], is made approximately
    orthogonal, so that all directions of the matrix change at the same rate (Jordan et al. 2024, "Muon: An
    optimizer for hidden layers in neural networks"). The updates are scaled to the size of AdamW's (Liu et
    al. 2025, "Muon is scalable for LLM training"), so both use the same learning rate.

    The optimizer has two parameter groups. ``orthogonalize`` is True in the first (Muon), False in the second
    (AdamW). ``torch.optim.Muon`` is not used: it refuses the four-dimensional weights of convolutions, and
    the oldest torch that imgcolor supports does not have it.

    Args:
        params: The parameters of a network in the order of its layers, not parameter groups. Muon is used for
            those with two or more dimensions, except the first and the last of them.
        lr: Learning rate.
        weight_decay: Decoupled weight decay.
        momentum: Momentum of Muon (Nesterov).
        betas: Decay rates of AdamW's averages of the gradient and of its square.

    Raises:
        ValueError: If ``params`` contains parameter groups, or ``momentum`` is outside [0, 1).
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
        params = list(params)
        if any(not isinstance(parameter, Tensor) for parameter in params):
            raise ValueError("params: expected the parameters of a network, found parameter groups")
        hidden = [parameter for parameter in params if parameter.ndim >= 2][1:-1]
        hidden_ids = {id(parameter) for parameter in hidden}
        others = [parameter for parameter in params if id(parameter) not in hidden_ids]
        groups: list[dict[str, Any]] = [
            {"params": hidden, "orthogonalize": True},
            {"params": others, "orthogonalize": False},
        ]
        defaults = {"lr": lr, "weight_decay": weight_decay, "momentum": momentum, "betas": betas, "eps": 1e-8}
        super().__init__(groups, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]  # torch has overloads
        """Update all parameters that have a gradient.

        Args:
            closure: Computes the loss and its gradients.

        Returns:
            The value of ``closure``, or None.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            update = self._update_muon if group["orthogonalize"] else self._update_adamw
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    update(parameter, parameter.grad, group)
        return loss

    def _update_muon(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        momentum = state["momentum_buffer"]
        momentum.lerp_(gradient, 1 - group["momentum"])
        update = orthogonalized(gradient.lerp(momentum, group["momentum"]).flatten(1))
        scale = 0.2 * max(update.shape) ** 0.5
        parameter.add_(update.view(parameter.shape), alpha=-group["lr"] * scale)

    def _update_adamw(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state.update(step=0, exp_avg=torch.zeros_like(parameter), exp_avg_sq=torch.zeros_like(parameter))
        state["step"] += 1
        beta1, beta2 = group["betas"]
        state["exp_avg"].lerp_(gradient, 1 - beta1)
        state["exp_avg_sq"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        correction1, correction2 = 1 - beta1 ** state["step"], 1 - beta2 ** state["step"]
        denominator = (state["exp_avg_sq"].sqrt() / correction2**0.5).add_(group["eps"])
        parameter.addcdiv_(state["exp_avg"], denominator, value=-group["lr"] / correction1)


def orthogonalized(matrix: Tensor) -> Tensor:
    """Return an approximation of the orthogonal matrix that is nearest to a matrix.

    Five Newton-Schulz iterations of fifth order with Jordan's coefficients bring all singular values between
    about 0.6 and 1.3. They run in bfloat16, which is precise enough, or in float32 on devices that only
    emulate bfloat16.

    Args:
        matrix: Float [m, n].

    Returns:
        Float [m, n], of the same dtype.
    """
    flat = matrix.to(torch.bfloat16 if has_fast_bfloat16(matrix.device) else torch.float32)
    wide = flat if flat.shape[0] <= flat.shape[1] else flat.T
    wide = wide / wide.norm().clamp(min=1e-7)
    for _ in range(_NEWTON_SCHULZ_STEPS):
        gram = wide @ wide.T
        wide = torch.addmm(wide, torch.addmm(gram, gram, gram, beta=_B, alpha=_C), wide, beta=_A)
    flat = wide if flat.shape[0] <= flat.shape[1] else wide.T
    return flat.to(matrix.dtype).contiguous()
