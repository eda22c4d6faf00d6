"""Backbone, neck and head: how a detector is written down.

The backbone is a section of stages, or of a chain, without a head (see `backbone_forms`), and
`levels` the number of its last strides that the neck reads.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from evonas.errors import BuildError
from evonas.networks.detector import necks
from evonas.networks.detector.backbone_forms import SHARED, as_network, form_of, taps
from evonas.networks.detector.heads import EVERY_HEAD, HEAD_DEFAULTS, HEADS
from evonas.networks.detector.necks import NECK_DEFAULTS, NECKS, OF_ONE_LEVEL
from evonas.networks.detector.plan import plan_levels
from evonas.networks.grammar import (
    DEFAULTS,
    Grammar,
    Tidied,
    Words,
    filled,
    with_defaults,
    without_defaults,
)
from evonas.networks.scale import Scale, round8
from evonas.networks.shares import without_share
from evonas.networks.stages.section import active


def strides(network: Mapping[str, Any]) -> tuple[int, ...]:
    """See `networks.strides`: of the levels that the head is given, the finest first."""
    return tuple(level.stride for level in plan_levels(network)[1])


def _grammar(network: Mapping[str, Any]) -> Grammar:
    """Of the backbone."""
    return form_of(network["backbone"])[1].grammar


def _backbone(
    network: Mapping[str, Any], sized: Mapping[str, Any], shared: Sequence[str] = SHARED
) -> dict[str, Any]:
    """The keys of the backbone as a network that are a backbone's, and what that says itself."""
    own = {key: network["backbone"][key] for key in shared if key in network["backbone"]}
    keys = form_of(network["backbone"])[1].keys
    return {**own, **{key: sized[key] for key in keys if key in sized}}


def tidied(network: Mapping[str, Any]) -> Tidied:
    """A neck without fusion says nothing of it; a head without blocks nothing of theirs."""
    sized, repairs = _grammar(network).tidied(as_network(network))
    neck, head = network["neck"], network["head"]
    return {
        **network,
        "backbone": _backbone(network, sized),
        "neck": necks.tidied(neck, network["levels"]),
        "head": HEADS[_kind(head, HEAD_DEFAULTS)].tidied(head, EVERY_HEAD, HEAD_DEFAULTS),
    }, repairs


def _kind(section: Mapping[str, Any], defaults: Mapping[str, Any]) -> str:
    return str(section.get("kind", defaults["kind"]))


def short(network: Mapping[str, Any]) -> dict[str, Any]:
    """See `networks.short`."""
    return _short(network, _backbone(network, _grammar(network).short(as_network(network))))


def _short(network: Mapping[str, Any], backbone: Mapping[str, Any]) -> dict[str, Any]:
    shared = {"activation": network["activation"], "norm": network.get("norm", DEFAULTS["norm"])}
    return {
        **without_defaults(network),
        "backbone": _without(shared, backbone),
        "neck": _without(NECK_DEFAULTS, network["neck"]),
        "head": _without(HEAD_DEFAULTS, network["head"]),
    }


def _without(defaults: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in values.items() if k not in defaults or v != defaults[k]}


def meaning(network: Mapping[str, Any]) -> Any:
    """See `networks.meaning`: the backbone layer by layer, without what changes nothing."""
    tidy, _ = tidied(_alone(network) if network["levels"] == 1 else network)
    form = form_of(tidy["backbone"])[1]
    return _short(tidy, _backbone(tidy, form.grammar.meaning(as_network(tidy)), form.meant))


def _alone(network: Mapping[str, Any]) -> dict[str, Any]:
    """With the neck that comes to the same where nothing is mixed."""
    kind = _kind(network["neck"], NECK_DEFAULTS)
    return {**network, "neck": {**network["neck"], "kind": OF_ONE_LEVEL.get(kind, kind)}}


def scaled(network: Mapping[str, Any], scale: Scale) -> dict[str, Any]:
    """See `networks.scaled`: with all defaults of neck and head.

    Raises:
        BuildError: The strides leave nothing of the input, are fewer than the levels, or the
            input is no multiple of the largest where levels meet.
    """
    tidy, _ = tidied(network)
    neck, head = {**NECK_DEFAULTS, **tidy["neck"]}, {**HEAD_DEFAULTS, **tidy["head"]}
    if scale.width != 1:
        neck["width"] = round8(neck["width"] * scale.width)
    backbone = _backbone(tidy, _grammar(tidy).scaled(as_network(tidy), scale))
    sized = {**tidy, "backbone": backbone, "neck": neck, "head": head}
    _check_strides({**sized, "input": scale.input_shape}, scale)
    return sized


def narrowed(network: Mapping[str, Any], shares: Sequence[float]) -> dict[str, Any]:
    """See `networks.narrowed`: the backbone, and with its last share the neck."""
    width = without_share(network["neck"]["width"], shares[-1])
    return {
        **network,
        "backbone": _backbone(network, _grammar(network).narrowed(as_network(network), shares)),
        "neck": {**network["neck"], "width": width},
    }


def shallower(network: Mapping[str, Any], shares: Sequence[float]) -> dict[str, Any]:
    """See `networks.shallower`: blocks of the backbone."""
    fewer = _grammar(network).shallower(as_network(network), shares)
    return {**network, "backbone": _backbone(network, fewer)}


def _check_strides(network: Mapping[str, Any], scale: Scale) -> None:
    found, levels, side = taps(network), network["levels"], scale.resolution_px
    if len(found) < levels:
        raise BuildError(
            f"The backbone has maps of {len(found)} strides at {scale.resolution_px} px, and "
            f"levels asks for the last {levels}. Write less levels, or a smaller smallest_map_px."
        )
    neck = network["neck"]
    if NECKS[neck["kind"]].any_size and not neck["asff"]:
        return
    beyond = side % found[-1].stride
    if beyond:
        less = side - beyond
        fitting = [f"{px}" for px in (less, less + found[-1].stride) if px]
        raise BuildError(
            f"An input of {scale.resolution_px} px is no multiple of the largest stride, "
            f"{found[-1].stride}. Write a resolution_px of {' or '.join(fitting)}."
        )
    cut = next((tap for tap in found[-levels:] if tap.px * tap.stride != side), None)
    if cut is not None:
        raise BuildError(
            f"The backbone's map of stride {cut.stride} has {cut.px} px of an input of {side}, and "
            f"levels meet in maps of {side // cut.stride} px. Write padding: same, or a padding "
            "in pixels that keeps the size."
        )


def aligned(network: Mapping[str, Any], template: Mapping[str, Any]) -> dict[str, Any]:
    """With the defaults that the space writes out, and stages as the space has them.

    Published anchors are left out unless the space has some: a training finds those of its boxes.
    """
    shared = {"activation": network["activation"], "norm": network.get("norm", DEFAULTS["norm"])}
    head = {
        key: value
        for key, value in network["head"].items()
        if key != "anchor_sizes" or key in template["head"]
    }
    grammar = _grammar(network)
    if grammar is not _grammar(template):
        raise ValueError("network.backbone: no place for one that is written in another way")
    backbone = _backbone(network, grammar.aligned(as_network(network), as_network(template)))
    return {
        **with_defaults(network, template),
        "backbone": filled(backbone, template["backbone"], shared),
        "neck": _filled(network["neck"], template["neck"], NECK_DEFAULTS),
        "head": _filled(head, template["head"], HEAD_DEFAULTS),
    }


def _filled(
    values: Mapping[str, Any], template: Mapping[str, Any], defaults: Mapping[str, Any]
) -> dict[str, Any]:
    """The defaults that the space writes out, but of genes that are not active here."""
    full = {**defaults, **values}
    return filled(values, active(template, full), defaults)


def words(network: Mapping[str, Any]) -> list[Words]:
    """Those of the backbone; and what neck and head say, whatever their width."""
    tidy, _ = tidied(network)
    said = {"levels": network["levels"]}
    said |= {f"neck {k}": v for k, v in tidy["neck"].items() if k != "width"}
    said |= {f"head {k}": v for k, v in tidy["head"].items()}
    return [*_grammar(tidy).words(as_network(tidy)), Counter(f"{key} {said[key]}" for key in said)]
