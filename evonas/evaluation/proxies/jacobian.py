"""How differently a network's output depends on different images."""

import torch
from torch import Tensor, nn

from evonas.evaluation.proxies.copies import LossOf, summed, working_copy

RIDGE = 1e-5  # k in the paper


def jacob_cov(network: nn.Module, images: Tensor, loss_of: LossOf) -> float:
    """-(sum of log(v + k) + 1 / (v + k)), v the eigenvalues of the Jacobians' correlations.

    Mellor et al. 2020, arXiv 2006.04647v1, equations 3 and 4: the Jacobian of an image is the
    gradient of its summed outputs, k = 1e-5. Two images that the output does not depend on
    count as wholly correlated; the worst for 64 images is about -6.3 million.
    """
    watched = working_copy(network)
    given = images.detach().clone().requires_grad_(True)
    (jacobian,) = torch.autograd.grad(summed(watched(given)), given)
    rows = torch.nan_to_num(jacobian.flatten(1)).double()
    rows = rows - rows.mean(1, keepdim=True)
    lengths = rows.norm(dim=1, keepdim=True)
    correlation = torch.where(
        (lengths * lengths.T) > 0, (rows @ rows.T) / (lengths * lengths.T), 1.0
    )
    values = torch.linalg.eigvalsh(correlation).clamp(min=0) + RIDGE
    return -float((values.log() + 1 / values).sum())
