"""Scores of an untrained network: cheap guesses at how well it would train.

Each is a function of a network, normalised images (batch, channels, height, width) and the loss of
what a network makes of these, that gives a finite number, larger is better. It works on a copy,
draws nothing from torch's global generator and gives the same for the same arguments. A new one is
a file, a line, and its name in `measures.PROXY_NAMES`.
"""

from collections.abc import Callable, Mapping

from torch import Tensor, nn

from evonas.evaluation.proxies.activation_patterns import naswot
from evonas.evaluation.proxies.copies import LossOf
from evonas.evaluation.proxies.gradients import grad_norm, snip
from evonas.evaluation.proxies.jacobian import jacob_cov
from evonas.evaluation.proxies.synflow import synflow
from evonas.evaluation.proxies.zen import zen

Proxy = Callable[[nn.Module, Tensor, LossOf], float]

PROXIES: Mapping[str, Proxy] = {
    "synflow": synflow,
    "naswot": naswot,
    "jacob_cov": jacob_cov,
    "grad_norm": grad_norm,
    "snip": snip,
    "zen": zen,
}

PROXY_IMAGES = 64  # training images that scores look at

__all__ = ["PROXIES", "PROXY_IMAGES", "LossOf", "Proxy"]
