"""Activation functions by name. A new one is a line here."""

from collections.abc import Callable, Mapping

from torch import nn

# Name to a callable that takes the channels: PReLU has a slope for each (arXiv 1502.01852, eq. 1).
ACTIVATIONS: Mapping[str, Callable[[int], nn.Module]] = {
    "relu": lambda channels: nn.ReLU(),
    "relu6": lambda channels: nn.ReLU6(),
    "leaky": lambda channels: nn.LeakyReLU(0.1),  # Darknet's, unless the network has another
    "prelu": lambda channels: nn.PReLU(channels),
    "elu": lambda channels: nn.ELU(),
    "selu": lambda channels: nn.SELU(),
    "mish": lambda channels: nn.Mish(),
    "swish": lambda channels: nn.SiLU(),
    "hard_swish": lambda channels: nn.Hardswish(),
    "sigmoid": lambda channels: nn.Sigmoid(),
    "hard_sigmoid": lambda channels: nn.Hardsigmoid(),
}
