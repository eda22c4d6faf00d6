"""Stages with fewer channels, or with fewer blocks: what pruning makes of a scaled section."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from evonas.errors import BuildError
from evonas.networks.shares import check_shares, share_of_stage, without_share
from evonas.networks.stages.blocks import BLOCKS
from evonas.networks.stages.section import (
    FRACTAL,
    IDENTITY,
    NO_SKIP,
    WIDTHS,
    can_skip,
    ends_open,
    stage_channels,
)

Stage = Mapping[str, Any]
STEP = 8  # channels


def narrowed(network: Mapping[str, Any], shares: Sequence[float]) -> dict[str, Any]:
    """See `networks.narrowed`.

    A block that has a shortcut without weights keeps it, and one that has none gets none: so a
    stage that keeps width and size is as wide as what it is given, and no other is.
    """
    check_shares(shares, len(network["stages"]))
    least, *least_of_stages = _least(network)
    stem = {**network["stem"]}
    stem["channels"] = _at_least(least, stem["channels"], shares[0])
    given = network["stem"]["channels"] or network["input"][0]
    left = stem["channels"] or given
    stages = []
    for index, stage in enumerate(network["stages"]):
        narrow = _narrowed(stage, share_of_stage(shares, index), least_of_stages[index])
        stages.append({**narrow, **_fitted(stage, narrow, given, left)})
        given, left = stage_channels(stage, given), stage_channels(stages[-1], left)
    head = dict(network["head"])
    wide = [key for key in ("channels", "hidden") if head.get(key)]
    head |= {key: without_share(head[key], shares[-1]) for key in wide}
    return {**network, "stem": stem, "stages": stages, "head": head}


def _least(network: Mapping[str, Any]) -> list[int]:
    """Channels that stem and stages need so that stages behind them can be as much narrower."""
    stages = network["stages"]
    widths = [network["stem"]["channels"], *(stage.get("channels", 0) for stage in stages)]
    least = [STEP] * len(widths)
    for index in reversed(range(len(stages))):
        if _depends_on_widths(stages[index]) and widths[index + 1] <= widths[index]:
            is_narrower = widths[index + 1] < widths[index]
            least[index] = least[index + 1] + STEP * is_narrower
    return least


def _at_least(least: int, channels: int, share: float) -> int:
    return min(channels, max(least, without_share(channels, share)))


def _narrowed(stage: Stage, share: float, least: int) -> dict[str, Any]:
    narrow = {key: without_share(stage[key], share) for key in WIDTHS if key in stage}
    if "channels" in stage:
        narrow["channels"] = _at_least(least, stage["channels"], share)
    return {**stage, **narrow}


def _fitted(stage: Stage, narrow: Stage, given: int, left: int) -> dict[str, int]:
    """What else changes in a stage that was given `given` channels and now is given `left`."""
    channels = narrow.get("channels", 0)
    if _depends_on_widths(stage):
        channels = _in_step(stage["channels"], channels, given, left)
    fitted = {"channels": channels} if channels else {}
    if "groups" in stage and "mid_ratio" not in stage and "mid_growths" not in stage:
        fitted["groups"] = _groups(stage, channels, given, left)
    return fitted


def _depends_on_widths(stage: Stage) -> bool:
    """Whether its first block is another one if it keeps the channels that it is given."""
    if stage["stride"] != 1 or stage.get("csp"):
        return False
    operation = stage["operation"]
    adds = BLOCKS[operation].always_sums and operation != FRACTAL
    is_skipped = stage.get("skip", NO_SKIP) != NO_SKIP
    return bool(adds or is_skipped or operation in (IDENTITY, "shuffle"))


def _in_step(channels: int, wanted: int, given: int, left: int) -> int:
    """The wanted channels, or those next to them, as equal to what is given as before."""
    if channels == given:
        return left
    if wanted != left:
        return wanted
    return min(channels, left + STEP) if channels > given else max(STEP, left - STEP)


def _groups(stage: Stage, channels: int, given: int, left: int) -> int:
    """Groups such that those of each convolution are whole numbers of its new ones."""
    if stage.get("csp"):
        given, left = stage["channels"], channels
    first = math.gcd(stage["groups"], given, stage["channels"])
    others = math.gcd(stage["groups"], stage["channels"])
    fit = first % math.gcd(others, left, channels) == 0
    return others if fit and stage["layers"] > 1 else first


def shallower(network: Mapping[str, Any], shares: Sequence[float]) -> dict[str, Any]:
    """See `networks.shallower`.

    Of fractal blocks the deepest column alone stays, a row of convolutions (arXiv 1605.07648,
    section 4.2): as many blocks of one column.
    """
    check_shares(shares, len(network["stages"]))
    spare = [_spare_blocks(*each) for each in _given(network)]
    gone = _gone(spare, shares)
    stages = [
        _deepest_column(stage) if _has_columns(stage) else {**stage, "layers": stage["layers"] - n}
        for stage, n in zip(network["stages"], gone, strict=True)
    ]
    if not sum(spare) and not any(map(_has_columns, network["stages"])):
        raise BuildError(
            "compression.pruning.method=depth: no block of this network can go: only those can "
            "that add what they are given, as it is, to what they make of it. Write method: "
            "channels or weights."
        )
    return {**network, "stages": [stage for stage in stages if stage["layers"]]}


def _given(network: Mapping[str, Any]) -> Iterator[tuple[Stage, int, bool]]:
    """Each stage with the channels that it is given, and whether all of it may go."""
    channels = network["stem"]["channels"] or network["input"][0]
    is_open = any(map(ends_open, network["stages"]))
    for stage in network["stages"]:
        yield stage, channels, not is_open and len(network["stages"]) > 1
        channels = stage_channels(stage, channels)


def _spare_blocks(stage: Stage, given: int, may_vanish: bool) -> int:
    """Blocks that are a sum of what they are given, as it is, and what they make of it."""
    operation = stage["operation"]
    adds = BLOCKS[operation].always_sums and operation != FRACTAL
    if not adds and stage.get("skip") != "identity":
        return 0
    if stage.get("csp"):
        return int(stage["layers"]) - 1
    first = can_skip(given, stage["channels"], stage["stride"])
    return int(stage["layers"]) - (0 if first and may_vanish else 1)


def _gone(spare: Sequence[int], shares: Sequence[float]) -> list[int]:
    """Blocks that go of each stage: with one share as evenly as whole blocks allow, the last first.

    >>> _gone([2, 3, 1], [0.5]), _gone([2, 3, 1], [0, 1])
    ([1, 1, 1], [0, 3, 1])
    """
    if len(shares) > 1:
        return [round(n * share_of_stage(shares, i)) for i, n in enumerate(spare)]
    gone = [0] * len(spare)
    for _ in range(round(sum(spare) * shares[0]) or int(sum(spare) > 0)):
        left = [
            ((n - k) / n if n else 0, i) for i, (n, k) in enumerate(zip(spare, gone, strict=True))
        ]
        gone[max(left)[1]] += 1
    return gone


def _has_columns(stage: Stage) -> bool:
    return bool(stage["operation"] == FRACTAL and stage["columns"] > 1)


def _deepest_column(stage: Stage) -> dict[str, Any]:
    return {**stage, "columns": 1, "layers": stage["layers"] * 2 ** (stage["columns"] - 1)}
