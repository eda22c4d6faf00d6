"""The channels of one network's maps and weights, as far as it was followed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

NOTHING = -1  # the channel of zeros that are filled in: whatever is added to them stays itself
OF_IMAGES = -1  # where the channels of the images come from, in place of a step's number
OUT, IN = "out", "in"


@dataclass(frozen=True)
class Axes:
    """The channels that a tensor of weights or statistics runs over.

    `out` (parts, channels): of its first axis. `into` (parts, channels): those that its second
    axis reads; None if it has none, or reads what it gives. Channels of different parts cannot
    stand in for each other: parts are the groups of a convolution or of a norm. `groups`: those of
    the convolution; a part may be several.
    """

    out: torch.Tensor
    into: torch.Tensor | None = None
    groups: int = 1

    def rows(self) -> Iterator[tuple[str, int, torch.Tensor]]:
        """Axis, number of the part, and the part's channels."""
        for axis, channels in ((OUT, self.out), (IN, self.into)):
            if channels is not None:
                yield from ((axis, part, row) for part, row in enumerate(channels))


@dataclass
class Side:
    """One of the two networks: the channels of its maps and weights, as far as it was followed."""

    names: dict[int, str]
    ids: dict[int, torch.Tensor | None] = field(default_factory=dict)  # None: not to be followed
    axes: dict[str, Axes] = field(default_factory=dict)
    equal: list[torch.Tensor] = field(default_factory=list)  # pairs of channels that are one
    made: list[NDArray[np.int64]] = field(default_factory=list)
    count: int = 0

    def fresh(self, count: int, maker: int) -> torch.Tensor:
        """So many new channels, made by the step of this number."""
        self.made.append(np.full(count, maker))
        self.count += count
        return torch.arange(self.count - count, self.count)

    def channels(self, tensor: torch.Tensor, maker: int) -> torch.Tensor:
        """(channels,) of maps or features; zeros that are filled in get a number here."""
        ids = self.ids[id(tensor)]
        if ids is None:
            raise Unfollowed
        rows = thin(ids)[0].flatten(1) if ids.dim() > 2 else ids[0][:, None]
        channels = rows.amax(1)
        if not bool(((rows == channels[:, None]) | (rows == NOTHING)).all()):
            raise Unfollowed
        empty = channels == NOTHING
        if bool(empty.any()):
            channels[empty] = self.fresh(int(empty.sum()), maker)
        return channels

    def unite(self, one: torch.Tensor, other: torch.Tensor) -> None:
        """Channels of the same places are one from now on."""
        shape = torch.broadcast_shapes(one.shape, other.shape)  # type: ignore[no-untyped-call]
        pairs = torch.stack([each.expand(shape).flatten() for each in (one, other)])
        pairs = pairs[:, (pairs != NOTHING).all(0) & (pairs[0] != pairs[1])]
        self.equal.append(pairs)

    @cached_property
    def labels(self) -> NDArray[np.int32]:
        """For each channel the number of those that it is one with, in the order of their first."""
        pairs = torch.cat([torch.zeros(2, 0, dtype=torch.long), *self.equal], 1).numpy()
        shape = (self.count, self.count)
        graph = coo_array((np.ones(pairs.shape[1], bool), tuple(pairs)), shape)
        _, labels = connected_components(graph, directed=False)
        _, first, found = np.unique(labels, return_index=True, return_inverse=True)
        ranks: NDArray[np.int32] = np.argsort(np.argsort(first))[found].astype(np.int32)
        return ranks

    @cached_property
    def makers(self) -> NDArray[np.int64]:
        """For each channel the number of the step that made it."""
        return np.concatenate(self.made)


class Unfollowed(Exception):
    """An operation reads something whose channels are not known."""


def spread(channels: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Channels as maps, without memory for their pixels."""
    return channels.view(1, -1, *[1] * (len(shape) - 2)).expand(tuple(shape))


def thin(ids: torch.Tensor) -> torch.Tensor:
    """One element along each axis along which all lie at one place of the memory."""
    for axis, stride in enumerate(ids.stride()):
        if stride == 0:
            ids = ids.narrow(axis, 0, 1)
    return ids


def compact(ids: torch.Tensor) -> torch.Tensor:
    """Without memory for pixels that are all of the same channel."""
    shape = ids.shape
    for axis in range(2, ids.dim()):
        if ids.stride(axis) and not varies(ids, axis):
            ids = ids.narrow(axis, 0, 1)
    return ids.expand(shape)


def varies(ids: torch.Tensor, axis: int) -> bool:
    """Whether there are several channels along an axis."""
    ids = thin(ids)
    return bool((ids != ids.narrow(axis, 0, 1)).any())


def behind(side: Side) -> str:
    """Where the network was followed to, for messages."""
    last = next(reversed(side.axes), "")
    return f" behind {last.rpartition('.')[0]}" if last else ""
