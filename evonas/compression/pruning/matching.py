"""Which channels of a network can stand for those of a narrower one, and the weights they bring."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from evonas.compression.pruning.coupling import follow
from evonas.compression.pruning.sides import IN, OUT, Axes, Side
from evonas.errors import BuildError
from evonas.models.network import Network
from evonas.networks.plan import Plan

Scores = NDArray[np.float64]
State = Mapping[str, torch.Tensor]
Place = tuple[str, int, int, int]  # axis, part, what it is one with, and the step that made it
Use = tuple[str, str, int, int]  # weights, axis, part of it, and the step that made the channel


@dataclass(frozen=True)
class Kind:
    """Channels of both networks that the same weights make and read: any can be any other's."""

    large: list[int]
    small: list[int]


class Coupling:
    """The channels of a network and of a narrower one, in kinds.

    Raises:
        BuildError: Some channels of the narrower network have no like in the other.
    """

    def __init__(self, large: Plan, small: Plan) -> None:
        self.small_plan = small
        wide, narrow = meta_network(large), meta_network(small)
        self.large, self.small = follow(wide, narrow, large.input_shape)
        self.shapes = {name: tensor.shape for name, tensor in narrow.state_dict().items()}
        self._check_others(wide.state_dict())
        codes: dict[Use, int] = {}
        self.kinds = _kinds(_signed(self.large, codes), _signed(self.small, codes), list(codes))

    def _check_others(self, state: State) -> None:
        """Weights that no channels are known of stay as they are."""
        for name, shape in self.shapes.items():
            if name not in self.large.axes and state[name].shape != shape:
                raise BuildError(
                    f"compression.pruning: {name} gets smaller with fewer channels, and which of "
                    "them it has is not known. Write another method."
                )

    def scores(self, weights: State) -> Scores:
        """The sum of non-negative numbers, one for each weight, over the weights of each channel.

        A channel's are the filters that make it, what norms and others do to it alone, and what
        all that read it have for it.
        """
        scores = np.zeros(int(self.large.labels.max()) + 1)
        for name, axes in self.large.axes.items():
            if name not in weights:
                continue
            for channels, sums in _summed(weights[name].double(), axes):
                np.add.at(scores, self.large.labels[channels.numpy()], sums.numpy())
        return scores

    def kept(self, scores: Scores) -> dict[int, int]:
        """For each channel of the narrower network the one that becomes it: the best, in order."""
        kept: dict[int, int] = {}
        for kind in self.kinds:
            best = np.argsort(-scores[kind.large], kind="stable")[: len(kind.small)]
            kept |= zip(kind.small, (kind.large[i] for i in sorted(best)), strict=True)
        return kept

    def narrowed(self, state: State, kept: Mapping[int, int]) -> dict[str, torch.Tensor]:
        """The narrower network's tensors, made of the other's."""
        return {name: self._tensor(name, state[name], kept) for name in self.shapes}

    def _tensor(self, name: str, tensor: torch.Tensor, kept: Mapping[int, int]) -> torch.Tensor:
        if name not in self.large.axes:
            return tensor
        large, small = self.large.axes[name], self.small.axes[name]
        assert small.out is not None
        places = self._places(large, small, kept)
        rows = places[OUT].flatten()
        if small.into is None:
            return tensor[rows]
        return _sliced(tensor, rows, places[IN], large.groups, small.groups)

    def _places(self, large: Axes, small: Axes, kept: Mapping[int, int]) -> dict[str, torch.Tensor]:
        """For each place of its axes, (parts, channels), the place in the larger network's."""
        found = {OUT: torch.empty_like(small.out)}
        if small.into is not None:
            found[IN] = torch.empty_like(small.into)
        there: dict[Place, list[int]] = defaultdict(list)
        for axis, part, row in large.rows():
            start = part * row.numel()
            for place, key in enumerate(_keys(self.large, row), start):
                there[axis, part, *key].append(place)
        met: Counter[Place] = Counter()
        for axis, part, row in small.rows():
            places = []
            for label, maker in _keys(self.small, row):
                same = (axis, part, kept[label], maker)
                places.append(there[same][met[same]])
                met[same] += 1
            found[axis][part] = torch.tensor(places)
        return found


def meta_network(plan: Plan) -> Network:
    """The plan's network without memory for its weights."""
    with torch.device("meta"):
        return Network(plan)


def _keys(side: Side, row: torch.Tensor) -> list[tuple[int, int]]:
    """What tells channels of an axis apart: what they are one with, and the step that made them."""
    channels = row.numpy()
    return list(zip(side.labels[channels].tolist(), side.makers[channels].tolist(), strict=True))


def _signed(side: Side, codes: dict[Use, int]) -> dict[bytes, list[int]]:
    """Channels that are made and read by the same weights, by what these are.

    Args:
        codes: A number for each use; gets those of uses that it does not have.
    """
    labels, uses = [np.zeros(0, np.int32)], [np.zeros(0, np.int64)]
    for name, axes in side.axes.items():
        for axis, part, row in axes.rows():
            channels = row.numpy()
            makers, places = np.unique(side.makers[channels], return_inverse=True)
            numbers = [codes.setdefault((name, axis, part, int(m)), len(codes)) for m in makers]
            labels.append(side.labels[channels])
            uses.append(np.array(numbers, np.int64)[places])
    label, use = np.concatenate(labels), np.concatenate(uses)
    order = np.lexsort((use, label))
    label, use = label[order], use[order]
    starts = np.flatnonzero(np.diff(label, prepend=-1))
    signed: dict[bytes, list[int]] = defaultdict(list)
    for start, end in zip(starts, [*starts[1:], len(label)], strict=True):
        signed[use[start:end].tobytes()].append(int(label[start]))
    return signed


def _kinds(
    large: Mapping[bytes, list[int]], small: Mapping[bytes, list[int]], uses: list[Use]
) -> list[Kind]:
    for signature, channels in small.items():
        there = large.get(signature, [])
        if len(there) < len(channels):
            names = sorted({uses[code][0] for code in np.frombuffer(signature, np.int64)})
            raise BuildError(
                "compression.pruning: with fewer channels, other ones belong together "
                f"{_around(names)}, as behind shuffles and norms over neighbouring channels. "
                "Write another ratio, or another method."
            )
    return [Kind(large[signature], channels) for signature, channels in small.items()]


def _around(names: list[str]) -> str:
    """The first layers of these weights, for messages."""
    layers = list(dict.fromkeys(name.rpartition(".")[0] for name in names))
    return f"at {' and '.join(layers[:2])}"


def _summed(weights: torch.Tensor, axes: Axes) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Channels of each axis, and the sums of what a tensor has for them."""
    sums = [(axes.out.flatten(), weights.flatten(1).sum(1) if weights.dim() > 1 else weights)]
    if axes.into is not None:
        by_group = weights.reshape(axes.groups, -1, weights.shape[1], *weights.shape[2:])
        axes_left = [i for i in range(by_group.dim()) if i not in (0, 2)]
        sums.append((axes.into.flatten(), by_group.sum(axes_left).flatten()))
    return sums


def _sliced(
    weights: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor, before: int, after: int
) -> torch.Tensor:
    """Some rows and columns of the weights of a convolution or a linear layer.

    Args:
        rows: Of the first axis.
        columns: (parts, channels) that are read. As many parts as groups.
        before, after: Groups; those after are made of whole ones. What was read by other groups
            than a row's counts nothing in it.
    """
    assert len(columns) == after, "a part is a group of the narrower network"
    each = weights.shape[1]
    read = columns.repeat_interleave(len(rows) // after, 0)
    sliced = weights[rows[:, None], read % each]
    strange = read // each != (rows // (len(weights) // before))[:, None]
    assert before != after or not bool(strange.any()), "a group reads another one's channels"
    return sliced.masked_fill(strange.view(*strange.shape, *[1] * (weights.dim() - 2)), 0)
