"""Which share of its channels or blocks each part of a network loses."""

from collections.abc import Sequence

from evonas.errors import BuildError


def without_share(channels: int, share: float, unit: int = 8) -> int:
    """Channels when this share of them is gone: the nearest multiple of the unit, at least one.

    Never more than before; without a share as before.

    >>> [without_share(channels, 0.5) for channels in (8, 12, 24, 64)]
    [8, 8, 16, 32]
    """
    if not share:
        return channels
    nearest = int(channels * (1 - share) / unit + 0.5) * unit
    return min(channels, max(unit, nearest))


def share_of_stage(shares: Sequence[float], index: int) -> float:
    """What goes of the stage of this index; the last share holds for further stages."""
    return shares[min(index, len(shares) - 1)]


def one_share(shares: Sequence[float]) -> float:
    """The share of a network without stages.

    Raises:
        BuildError: There are several.
    """
    if len(shares) > 1:
        raise BuildError(
            f"compression.pruning.ratios has {len(shares)} shares, one a stage, and this network "
            "has no stages. Write compression.pruning.ratio."
        )
    return shares[0]


def check_shares(shares: Sequence[float], stages: int) -> None:
    """Refuses more shares than there are stages.

    Raises:
        BuildError: There are more.
    """
    if len(shares) > stages:
        raise BuildError(
            f"compression.pruning.ratios has {len(shares)} shares, one a stage, and this network "
            f"has {stages} stages. Write at most so many; the last holds for further stages."
        )
