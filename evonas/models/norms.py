"""Norms by name. A new one is a line here."""

from collections.abc import Callable, Mapping

from torch import nn


class GroupNorm(nn.GroupNorm):
    """Group norm in at most 8 groups (arXiv 1803.08494, eq. 7).

    (batch, channels, height, width) to the same shape. As many groups as divide the channels and
    leave at least 2 in each; channels that allow no more are one group. A channel a group would be
    instance norm, the worst in the paper's table 3.
    """

    def __init__(self, channels: int) -> None:
        groups = [count for count in range(1, 9) if channels % count == 0 and channels >= 2 * count]
        super().__init__(max(groups, default=1), channels)


# Name to a callable that takes the channels.
NORMS: Mapping[str, Callable[[int], nn.Module]] = {
    "batch": nn.BatchNorm2d,
    "group": GroupNorm,
    "none": nn.Identity,
}
