"""An average of the weights, which often does better than the last of them."""

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

PREFIX = "trained."


class Average:
    """The exponential moving average of a network's weights and buffers.

    The network holds either the weights that are trained, and this object the average, or the
    other way round; `swap` changes between the two. Between epochs the network has the average.

    Args:
        decay: Of the average; less at the beginning: min(decay, (1 + t) / (10 + t)) at step t,
            as TensorFlow has it for mean teachers (arXiv 1703.01780).
        state: What `state` gave where the training was left; weights that are missing are those
            that the network has.
    """

    def __init__(self, network: nn.Module, decay: float, state: dict[str, torch.Tensor]) -> None:
        tensors = network.state_dict()  # numbers that count batches have no average
        self.own = {name: t for name, t in tensors.items() if t.is_floating_point()}
        self.other = {name: tensor.detach().clone() for name, tensor in self.own.items()}
        self.decay = decay
        for name, tensor in self.other.items():
            tensor.copy_(state.get(PREFIX + name, tensor))

    @property
    def state(self) -> dict[str, torch.Tensor]:
        """What the network does not hold, by names of its own."""
        return {PREFIX + name: tensor for name, tensor in self.other.items()}

    def update(self, steps: int) -> None:
        """Takes in the weights after so many steps of the whole training."""
        decay = min(self.decay, (1 + steps) / (10 + steps))
        average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        average(list(self.other.values()), list(self.own.values()), steps)

    @torch.no_grad()
    def swap(self) -> None:
        """The network gets what this object held, and the reverse; bit for bit."""
        for own, other in zip(self.own.values(), self.other.values(), strict=True):
            held = own.clone()
            own.copy_(other)
            other.copy_(held)
