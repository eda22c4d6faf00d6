"""Batch norms whose statistics are of more than the mini-batch that they see, while training."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import distributed, nn

from evonas.errors import SettingsError
from evonas.settings import TrainingSettings
from evonas.training.accumulation import Accumulation

# Mean and variance of each channel (channels,), and of how many values each channel has.
Moments = tuple[torch.Tensor, torch.Tensor, float]

NO_GROUP = (
    "training.batch_norm=synced takes statistics over the processes of a torch process group, and "
    "this process is in none: evonas trains a network in one process. Call evonas.training.train "
    "in processes that share a group, or write training.batch_norm=cross_mini_batch with "
    "training.subdivisions, or batch."
)


class WideBatchNorm(nn.BatchNorm2d):
    """Batch norm by statistics that `widened` makes of those of its mini-batch.

    A batch norm has this class for the time of a training; its weights and buffers stay as they
    are. In evaluation mode it is a batch norm.
    """

    accumulation: Accumulation
    before: Moments | None

    @property
    def is_complete(self) -> bool:
        """Whether evaluation is to go by the statistics as they are now."""
        return True

    def widened(self, moments: Moments) -> Moments:
        """Statistics of all that count together with the mini-batch."""
        raise NotImplementedError

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(batch, channels, height, width) to the same."""
        if not self.training:
            return super().forward(maps)
        given = maps.float()
        variance, mean = torch.var_mean(given, (0, 2, 3), correction=0)
        mean, variance, count = self.widened((mean, variance, maps.numel() / maps.shape[1]))
        if self.is_complete:
            self._keep(mean.detach(), variance.detach(), count)
        scale = self.weight * (variance + self.eps).rsqrt()
        shift = self.bias - mean * scale
        return (given * scale[:, None, None] + shift[:, None, None]).to(maps.dtype)

    @torch.no_grad()
    def _keep(self, mean: torch.Tensor, variance: torch.Tensor, count: float) -> None:
        """What evaluation goes by takes in the statistics of a batch, as in a batch norm."""
        kept: Any = self  # torch has these as optional
        kept.running_mean.lerp_(mean, kept.momentum)
        kept.running_var.lerp_(variance * count / max(count - 1, 1), kept.momentum)
        kept.num_batches_tracked += 1


class CrossMiniBatchNorm(WideBatchNorm):
    """Statistics of the mini-batches of a batch, up to this one (CmBN).

    YOLOv4 (arXiv 2004.10934, figure 4): weights are the same throughout a batch, so that statistics
    need no compensation, as they do across batches (arXiv 2002.05712). Gradients pass through those
    of this mini-batch, the earlier ones are constants. Running statistics take in those of the
    whole batch, once.
    """

    @property
    def is_complete(self) -> bool:
        """See `WideBatchNorm`."""
        return self.accumulation.is_last

    def widened(self, moments: Moments) -> Moments:
        """See `WideBatchNorm`."""
        is_first = self.accumulation.share == 1
        found = moments if is_first or self.before is None else pooled([self.before, moments])
        mean, variance, count = found
        self.before = (mean.detach(), variance.detach(), count)
        return found


class SyncedBatchNorm(WideBatchNorm):
    """Statistics of the mini-batches that all processes of the group see at a time (SyncBN).

    MegDet (arXiv 1711.07240, section 3.3); gradients pass through the statistics of all. Torch's
    needs a GPU, this one any device that the group has a backend for.
    """

    def widened(self, moments: Moments) -> Moments:
        """See `WideBatchNorm`."""
        from torch.distributed.nn.functional import all_gather  # not in every build of torch

        mean, variance, count = moments
        own = torch.stack([mean, variance, torch.full_like(mean, count)])
        gathered = all_gather(own)  # type: ignore[no-untyped-call]
        return pooled([(mean, variance, count[0].item()) for mean, variance, count in gathered])


def pooled(parts: Sequence[Moments]) -> Moments:
    """Mean and variance of all values together."""
    total = sum(count for *_, count in parts)
    mean = torch.stack([mean * (count / total) for mean, _, count in parts]).sum(0)
    spread = [
        (variance + (own - mean).square()) * (count / total) for own, variance, count in parts
    ]
    return mean, torch.stack(spread).sum(0), total


# What `training.batch_norm` names, but for `batch`.
BATCH_NORMS: Mapping[str, type[WideBatchNorm]] = {
    "cross_mini_batch": CrossMiniBatchNorm,
    "synced": SyncedBatchNorm,
}


@contextmanager
def accumulated(network: nn.Module, recipe: TrainingSettings) -> Iterator[Accumulation]:
    """Makes the batch norms of a network those of the recipe for the time of the `with`.

    Weights and buffers keep their names, and afterwards every module is of the class that it was.

    Raises:
        SettingsError: Norms are to be synced, and there is no process group.
    """
    if recipe.batch_norm == "synced" and not _has_group():
        raise SettingsError(NO_GROUP)
    accumulation = Accumulation(recipe.subdivisions)
    kind = BATCH_NORMS.get(recipe.batch_norm)
    norms = [module for module in network.modules() if type(module) is nn.BatchNorm2d]
    wide: list[Any] = [] if kind is None else norms
    for norm in wide:
        norm.__class__, norm.accumulation, norm.before = kind, accumulation, None
    try:
        yield accumulation
    finally:
        for norm in wide:
            norm.__class__ = nn.BatchNorm2d
            del norm.accumulation, norm.before


def _has_group() -> bool:
    return distributed.is_available() and distributed.is_initialized()
