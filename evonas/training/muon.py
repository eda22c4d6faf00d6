"""Momentum made orthogonal: Muon, "an optimizer for hidden layers" (Jordan 2024)."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from evonas.training.parts import classifier

# Of the quintic iteration; chosen by its author to grow small singular values fastest.
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5
SMALLEST_NORM = 1e-7


def matrices(network: nn.Module) -> set[torch.Tensor]:
    """The weights that Muon is for: of convolutions over all maps and of hidden linear layers."""
    convolutions = (m for m in network.modules() if isinstance(m, nn.Conv2d) and m.groups == 1)
    hidden = (m for m in classifier(network)[:-1] if isinstance(m, nn.Linear))
    return {m.weight for m in convolutions} | {m.weight for m in hidden}


def orthogonalised(matrix: torch.Tensor) -> torch.Tensor:
    """The nearest matrix with singular values of about 1: U V^T of its decomposition U S V^T.

    By five Newton-Schulz steps X <- P X with P = a + b X X^T + c (X X^T)^2, which bring the
    singular values to 0.7..1.2 rather than to 1. (rows, columns) to the same. Every P is a
    polynomial of the first X X^T: they are multiplied while they are small, and with X once, which
    is less than half the work for a convolution of 3x3.
    """
    if matrix.size(0) > matrix.size(1):
        return orthogonalised(matrix.T).T
    x = matrix.float()
    x = x / x.norm().clamp(min=SMALLEST_NORM)
    gram = x @ x.T
    product = step = _polynomial(gram)
    for _ in range(ITERATIONS - 1):
        gram = step @ (step @ gram)
        step = _polynomial(gram)
        product = step @ product
    made: torch.Tensor = product @ x
    return made


def _polynomial(gram: torch.Tensor) -> torch.Tensor:
    a, b, c = COEFFICIENTS
    result: torch.Tensor = torch.addmm(gram, gram, gram, beta=b, alpha=c)
    result.diagonal().add_(a)
    return result


class Muon(torch.optim.AdamW):
    """Muon in the groups that say `matrix`, AdamW in the others.

    A convolution's weight counts as a matrix (maps out, maps in x kernel). Its step is as large
    as in the author's code: sqrt(max(1, rows / columns)) x the rate. Nesterov momentum, decoupled
    weight decay; as in `torch.optim.Muon`, which takes nothing but matrices.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step; uses up the gradients of matrices."""
        for group in self.param_groups:
            if group["matrix"]:
                for parameter in group["params"]:
                    self._step_matrix(parameter, group)
        return super().step(closure)

    def _step_matrix(self, parameter: nn.Parameter, group: dict[str, Any]) -> None:
        gradient = parameter.grad
        if gradient is None:
            return
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros(())  # AdamW expects one of every state that it loads
            state["momentum_buffer"] = torch.zeros_like(parameter)
        momentum = state["momentum_buffer"].lerp_(gradient, 1 - group["momentum"])
        update = orthogonalised(gradient.lerp(momentum, group["momentum"]).flatten(1))
        rows, columns = update.shape
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        rate = group["lr"] * math.sqrt(max(1, rows / columns))
        parameter.add_(update.view(parameter.shape).to(parameter.dtype), alpha=-rate)
        parameter.grad = None  # so that AdamW passes it by
