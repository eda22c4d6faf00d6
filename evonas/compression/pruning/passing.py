"""What each operation does with channels: gives new ones, passes them on, or makes them one."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import nn

from evonas.compression.pruning.sides import (
    NOTHING,
    Axes,
    Side,
    Unfollowed,
    behind,
    compact,
    spread,
    thin,
    varies,
)
from evonas.errors import BuildError
from evonas.models.trace import NORMS, POINTWISE, Step

Sides = tuple[Side, Side]
Steps = tuple[Step, Step]


Results = tuple[torch.Tensor | None, torch.Tensor | None]
Handler = Callable[[Sides, Steps, int], Results]


def _each(change: Callable[[Side, Step, int], torch.Tensor | None]) -> Handler:
    """What is done alike in both networks."""

    def handler(sides: Sides, steps: Steps, number: int) -> Results:
        first, second = (change(*each, number) for each in zip(sides, steps, strict=True))
        return first, second

    return handler


def _lost(sides: Sides, steps: Steps, number: int) -> Results:
    raise Unfollowed


@_each
def _same(side: Side, step: Step, number: int) -> torch.Tensor | None:
    return side.ids[id(step.arguments["self"])]


@_each
def _moved(side: Side, step: Step, number: int) -> torch.Tensor | None:
    """What moves elements moves their channels."""
    ids = side.ids[id(step.arguments["self"])]
    if ids is None:
        return None
    if step.operation in ("view", "_unsafe_view", "reshape"):
        return compact(ids.reshape(step.arguments["size"]))
    move = getattr(torch.ops.aten, step.operation)
    return compact(move(**{**step.arguments, "self": ids}))


@_each
def _resampled(side: Side, step: Step, number: int) -> torch.Tensor:
    """Each map by itself, in another size."""
    return spread(side.channels(step.arguments["self"], number), step.result.shape)


@_each
def _padded(side: Side, step: Step, number: int) -> torch.Tensor | None:
    ids = side.ids[id(step.arguments["self"])]
    if ids is None or step.arguments["value"] != 0:
        return None
    return nn.functional.pad(ids, step.arguments["pad"], value=NOTHING)


@_each
def _joined(side: Side, step: Step, number: int) -> torch.Tensor | None:
    parts = [side.ids.get(id(tensor)) for tensor in step.arguments["tensors"]]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    return compact(torch.cat(known, step.arguments["dim"]))


@_each
def _combined(side: Side, step: Step, number: int) -> torch.Tensor | None:
    """Sums, products: what lies at one place becomes one channel."""
    one, other = step.arguments["self"], step.arguments["other"]
    tensors = [each for each in (one, other) if isinstance(each, torch.Tensor)]
    ids = [side.ids[id(each)] for each in tensors if id(each) in side.ids]
    given = [each for each in ids if each is not None]
    if len(given) < len(ids):
        return None
    if len(given) == 2:
        return _united(side, *given)
    factors = [each for each in (one, other) if not isinstance(each, torch.Tensor)]
    if step.operation == "mul" and factors == [0]:
        return torch.full_like(given[0], NOTHING)
    is_number = all(each.numel() == 1 for each in tensors if id(each) not in side.ids)
    return given[0] if is_number else None


def _united(side: Side, one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    one, other = _without_gates(one, other), _without_gates(other, one)
    shape = torch.broadcast_shapes(one.shape, other.shape)  # type: ignore[no-untyped-call]
    one, other = thin(one.expand(shape)), thin(other.expand(shape))
    side.unite(one, other)
    return torch.where(one == NOTHING, other, one).expand(shape)


def _without_gates(ids: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """A map that acts on all channels of the other is none of them."""
    for axis in range(other.dim()):
        if ids.shape[axis] == 1 != other.shape[axis] and varies(other, axis):
            return torch.full_like(ids, NOTHING)
    return ids


def _reduced(sides: Sides, steps: Steps, number: int) -> Results:
    """Means, sums and maxima: what is reduced to one becomes one channel.

    Of an axis that gets shorter not all elements are there any more, and a mean would be another.
    """
    axes = steps[0].arguments["dim"]
    axes = list(axes) if isinstance(axes, list | tuple) else [axes]
    return _along(sides, steps, axes, steps[0].arguments["keepdim"])


def _softmax(sides: Sides, steps: Steps, number: int) -> Results:
    return _along(sides, steps, [steps[0].arguments["dim"]], None)


def _along(sides: Sides, steps: Steps, axes: Sequence[int], keepdim: bool | None) -> Results:
    found = [sides[i].ids[id(steps[i].arguments["self"])] for i in (0, 1)]
    large, small = found
    if large is None or small is None or not axes:
        raise Unfollowed
    for axis in axes:
        if varies(large, axis) and large.shape[axis] != small.shape[axis]:
            raise Unfollowed
    results = []
    for side, ids in zip(sides, (large, small), strict=True):
        for axis in axes:
            side.unite(thin(ids), thin(ids).narrow(axis, 0, 1))
        results.append(ids if keepdim is None else _thin_max(ids, axes, keepdim))
    return results[0], results[1]


def _thin_max(ids: torch.Tensor, axes: Sequence[int], keepdim: bool) -> torch.Tensor:
    for axis in axes:
        if ids.stride(axis) == 0:
            ids = ids.narrow(axis, 0, 1)
    return ids.amax(tuple(axes), keepdim=keepdim)


def _convolution(sides: Sides, steps: Steps, number: int) -> Results:
    channels = [s.channels(t.arguments["input"], number) for s, t in zip(sides, steps, strict=True)]
    groups = [int(step.arguments["groups"]) for step in steps]
    weights = [step.arguments["weight"] for step in steps]
    name = sides[0].names[id(weights[0])]
    if steps[0].arguments["transposed"]:
        raise Unfollowed
    depthwise = all(
        count == len(given) == len(weight) > 1
        for count, given, weight in zip(groups, channels, weights, strict=True)
    )
    if not depthwise and groups[0] % groups[1]:
        raise BuildError(
            f"compression.pruning: {name} has {groups[0]} groups, and {groups[1]} with fewer "
            "channels, which are not made of whole ones. Write another ratio, or another method."
        )
    results = []
    for i, side in enumerate(sides):
        if depthwise:
            out = channels[i]
            axes = Axes(out[None])
        else:
            out = side.fresh(len(weights[i]), number)
            parts = [each.view(groups[1], -1) for each in (out, channels[i])]
            axes = Axes(parts[0], parts[1], groups[i])
        _put(side, {weights[i]: axes, steps[i].arguments["bias"]: Axes(out[None])})
        results.append(spread(out, steps[i].result.shape))
    return results[0], results[1]


def _put(side: Side, axes: Mapping[torch.Tensor | None, Axes]) -> None:
    side.axes |= {side.names[id(t)]: each for t, each in axes.items() if t is not None}


@_each
def _linear(side: Side, step: Step, number: int) -> torch.Tensor:
    given = step.arguments["mat1" if step.operation == "addmm" else "self"]
    features = side.channels(given, number)
    weight = step.arguments["mat2"]
    out = side.fresh(weight.shape[1], number)
    bias = step.arguments["self"] if step.operation == "addmm" else None
    _put(side, {weight: Axes(out[None], features[None]), bias: Axes(out[None])})
    return out[None]


STATISTICS = ("weight", "bias", "running_mean", "running_var")


def _norm(sides: Sides, steps: Steps, number: int) -> Results:
    groups = [int(step.arguments.get("group", 1)) for step in steps]
    if groups[0] != groups[1]:
        raise BuildError(
            f"compression.pruning: a group norm{behind(sides[0])} has {groups[0]} groups, and "
            f"{groups[1]} with fewer channels. Write another ratio, or another method."
        )
    results = []
    for side, step in zip(sides, steps, strict=True):
        channels = side.channels(step.arguments["input"], number)
        axes = Axes(channels.view(groups[0], -1))
        _put(side, {step.arguments.get(key): axes for key in STATISTICS})
        results.append(spread(channels, step.result.shape))
    return results[0], results[1]


@_each
def _prelu(side: Side, step: Step, number: int) -> torch.Tensor:
    channels = side.channels(step.arguments["self"], number)
    _put(side, {step.arguments["weight"]: Axes(channels[None])})
    return spread(channels, step.result.shape)


HANDLERS: Mapping[str, Handler] = {
    **dict.fromkeys((*POINTWISE, "abs", "pow", "clone", "_to_copy", "softplus"), _same),
    **dict.fromkeys(("add", "sub", "mul", "div"), _combined),
    **dict.fromkeys(NORMS, _norm),
    **dict.fromkeys(("mean", "sum", "amax"), _reduced),
    **dict.fromkeys(("_unsafe_view", "reshape", "repeat"), _moved),
    **dict.fromkeys(("addmm", "mm"), _linear),
    "max_pool2d_with_indices": _resampled,
    "avg_pool2d": _resampled,
    "upsample_nearest2d": _resampled,
    "replication_pad2d": _resampled,
    "constant_pad_nd": _padded,
    "cat": _joined,
    "_softmax": _softmax,
    "_prelu_kernel": _prelu,
    "convolution": _convolution,
}


def handler_of(step: Step) -> Handler:
    """What is known of a step's operation."""
    return HANDLERS.get(step.operation, _moved if step.is_view else _lost)
