"""Activation functions by name. A new one is a line here."""

from collections.abc import Callable, Mapping

from torch import nn

# Name to a callable without arguments that gives a fresh module: PReLU has weights of its own.
ACTIVATIONS: Mapping[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "leaky": lambda: nn.LeakyReLU(0.1),  # Darknet's slope
    "prelu": nn.PReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "mish": nn.Mish,
    "swish": nn.SiLU,
    "hard_swish": nn.Hardswish,
    "sigmoid": nn.Sigmoid,
    "hard_sigmoid": nn.Hardsigmoid,
}
