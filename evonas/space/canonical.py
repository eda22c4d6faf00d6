"""One form for all networks that compute the same: what makes duplicates visible.

A folding takes the network section of a blueprint and returns it without the choices that
change nothing, with a sentence for each that a user wrote down in vain.
"""

from collections.abc import Callable, Mapping
from typing import Any

from evonas.registry import pick

Folded = tuple[dict[str, Any], tuple[str, ...]]

NO_SKIP = "none"


def canonical_network(network: Mapping[str, Any]) -> Folded:
    """The network section in its canonical form, and what was folded."""
    fold = pick(FOLDINGS, str(network["builder"]), "builder")
    return fold(network)


def can_skip(in_channels: int, out_channels: int, stride: int) -> bool:
    """True if an identity can be added around a layer: same channels, same size."""
    return stride == 1 and in_channels == out_channels


# How squeeze-and-excite is built unless the network's `attention` says otherwise (MnasNet).
DEFAULT_ATTENTION = {"base": "input", "activation": "relu", "gate": "sigmoid", "round8": False}


def _fold_stages(network: Mapping[str, Any]) -> Folded:
    """A stage in which no layer can skip has no skip; what is said by default is not said."""
    stages, repairs = [], []
    network = _without_defaults(network)
    channels = network["stem"]["channels"]
    for index, stage in enumerate(network["stages"]):
        has_room = stage["layers"] > 1 or can_skip(channels, stage["channels"], stage["stride"])
        if stage["skip"] != NO_SKIP and not has_room:
            repairs.append(f"stages.{index}.skip: no layer of the stage can skip, so it has none")
            stage = {**stage, "skip": NO_SKIP}
        channels = stage["channels"]
        defaults = {"activation": network["activation"], "linear": True}
        stages.append({k: v for k, v in stage.items() if k not in defaults or v != defaults[k]})
    return {**network, "stages": stages}, tuple(repairs)


def _without_defaults(network: Mapping[str, Any]) -> dict[str, Any]:
    attention = {**DEFAULT_ATTENTION, **network.get("attention", {})}
    squeezes = any(stage["se_ratio"] for stage in network["stages"])
    head = {k: v for k, v in network["head"].items() if v or k == "channels"}
    folded = {**network, "head": head, "attention": attention}
    if not squeezes or attention == DEFAULT_ATTENTION:
        del folded["attention"]
    return folded


FOLDINGS: Mapping[str, Callable[[Mapping[str, Any]], Folded]] = {
    "stages": _fold_stages,
}
