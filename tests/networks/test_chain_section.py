"""Sections of chains: what their words leave out, what they mean, and their shapes."""

from typing import Any

import pytest

from evonas.blueprint import Blueprint, network_key
from evonas.errors import BuildError
from evonas.networks import Scale, aligned, built_meaning, meaning, scaled, short, tidied, words
from evonas.presets import preset

FULL = Scale("full", resolution_px=32)
HEAD = [{"global_pool": "average"}, {"linear": "classes"}]
CONV = {"conv": 16, "kernel": 3}


def chain(*layers: Any, head: list[Any] = HEAD, **more: Any) -> dict[str, Any]:
    return {"builder": "chain", "activation": "relu", "layers": list(layers), "head": head, **more}


def sized(*layers: Any, scale: Scale = FULL, **more: Any) -> list[Any]:
    """The groups of layers at a scale, without the head."""
    return list(scaled(chain(*layers, **more), scale)["layers"])


def test_entries_and_repetitions_are_parts_and_grow_with_the_depth() -> None:
    layers = [CONV, [CONV, {"max_pool": 2}], {"times": 2, "layers": [CONV, CONV]}]
    assert [len(group) for group in sized(*layers)] == [1, 2, 2, 2]
    deep = sized(*layers, scale=Scale("full", 32, depth=1.3))
    assert [len(group) for group in deep] == [1, 2, 2, 2, 2]
    nested = sized([{"times": 3, "layers": [CONV]}, {"max_pool": 2}])
    assert [len(group) for group in nested] == [4]


def test_the_width_multiplies_channels_and_neurons_but_never_classes() -> None:
    head = [{"flatten": True}, {"linear": 100}, {"linear": "classes"}]
    section = scaled(chain(CONV, head=head), Scale("full", 8, width=0.5, classes=7))
    assert section["layers"][0][0]["conv"] == 8
    assert [layer.get("linear") for layer in section["head"]] == [None, 48, 7]
    as_written = scaled(chain({"conv": 13, "kernel": 3}), FULL)
    assert as_written["layers"][0][0]["conv"] == 13


@pytest.mark.parametrize("width", [0.1, 0.3, 0.55, 0.8, 1.4])
@pytest.mark.parametrize("name", ["inception_resnet_v2", "xception", "googlenet", "squeezenet_11"])
def test_sums_agree_at_every_width(name: str, width: float) -> None:
    found = preset(name)
    scaled(found.blueprint.network, Scale("full", found.scale.resolution_px, width, classes=10))


def test_a_branch_ends_with_as_many_channels_as_the_identity() -> None:
    mixed = {"concat": [[{"conv": 20, "kernel": 1}], [{"conv": 20, "kernel": 1}]]}
    branch = [
        CONV,
        {"conv": 40, "kernel": 1},
        {"conv": "input", "kernel": 3, "groups": "depthwise"},
    ]
    (total,) = sized([mixed, {"sum": [[], branch]}], scale=Scale("full", 32, width=0.7))[0][1:]
    assert [layer["conv"] for layer in total["sum"][1]] == [16, 32, 32]
    assert total["sum"][1][2]["groups"] == 32


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            [[CONV, {"concat": [[{"conv": 8, "kernel": 40, "padding": "valid"}]]}]],
            "layer_1, concat: conv: a window of 40x40 px does not fit a map of 32x32 px. The input "
            "has 32 px; the smallest that works is 40 px.",
        ),
        ([{"conv": 6, "kernel": 3, "groups": 4}], "layer_1, conv: 3 to 6 channels do not fall"),
        (
            [CONV, {"channel_shuffle": 3}],
            "layer_2, channel_shuffle: 16 channels do not fall into 3",
        ),
        ([{"sum": [[], [CONV]]}], "sum: branches of 3x32x32 and 16x32x32 cannot be added"),
        ([{"concat": [[], [{"max_pool": 2}]]}], "of 3x32x32 and 3x16x16 cannot be concatenated"),
        (
            [CONV, {"channel_group": 3, "groups": 2}],
            "layer_2, channel_group: 16 channels have no group 3 of 2 equal ones",
        ),
        ([{"space_to_depth": 5}], "a map of 32x32 px does not divide by 5"),
        (
            [{"linear": 5}],
            "linear: it needs features, and is given maps of 3x32x32. Write {flatten",
        ),
        ([{"flatten": True}, CONV], "layer_2, conv: it needs maps, and is given 3072 features"),
        ([{"max_pool": 2, "padding": 2}], "a padding of 2 is more than half of its window"),
        ([{"cnov": 5}], 'There is no layer called "cnov". Did you mean "conv"'),
    ],
)
def test_what_cannot_be_built_is_told(layers: list[Any], message: str) -> None:
    with pytest.raises(BuildError) as failure:
        sized(*layers)
    assert message in str(failure.value)


def test_a_head_without_logits_is_told() -> None:
    with pytest.raises(BuildError, match="head: it ends with 16x32x32, not with a logit for each"):
        scaled(chain(CONV, head=[{"dropout": 0.5}]), FULL)


@pytest.mark.parametrize(
    ("name", "smallest"), [("lenet5", 16), ("vgg16", 32), ("inception_v3", 75), ("alexnet", 63)]
)
def test_the_smallest_input_is_named_and_works(name: str, smallest: int) -> None:
    network = preset(name).blueprint.network
    with pytest.raises(BuildError, match=f"has 8 px; the smallest that works is {smallest} px"):
        scaled(network, Scale("full", 8))
    scaled(network, Scale("full", smallest))
    with pytest.raises(BuildError, match="does not fit"):
        scaled(network, Scale("full", smallest - 1))


def test_nothing_of_a_chain_is_repaired() -> None:
    network = chain(CONV)
    assert tidied(network) == (network, ())


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two sections mean the same, which must hold in all ways of asking."""
    equal = bool(meaning(one) == meaning(other))
    assert (Blueprint(one).fingerprint == Blueprint(other).fingerprint) == equal
    assert (built_meaning(scaled(one, FULL)) == built_meaning(scaled(other, FULL))) == equal
    assert (network_key(Blueprint(one), FULL) == network_key(Blueprint(other), FULL)) == equal
    return equal


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (chain(CONV, CONV), chain([CONV, CONV]), True),
        (chain(CONV, CONV), chain({"times": 2, "layers": [CONV]}), True),
        (chain(CONV), chain({**CONV, "stride": 1, "padding": 1, "kernel": [3, 3]}), True),
        (chain(CONV, norm="none"), chain({**CONV, "norm": "none"}), True),
        (chain(CONV), chain({**CONV, "activation": "mish"}), False),
        (chain(CONV, CONV), chain(CONV), False),
        (chain({"sum": [[], [CONV | {"conv": 3}]]}), chain(CONV | {"conv": 3}), False),
        (chain({"max_pool": 2}), chain({"max_pool": 2, "stride": 2}), True),
        (chain({"max_pool": 3}), chain({"max_pool": 3, "stride": 2}), False),
    ],
)
def test_sections_of_the_same_layers_mean_the_same(
    one: dict[str, Any], other: dict[str, Any], equal: bool
) -> None:
    assert same(one, other) == equal


def test_what_is_said_by_default_is_not_said() -> None:
    written = chain(
        [{**CONV, "stride": 1, "padding": "same", "norm": "batch", "groups": 2}],
        {"times": 2, "layers": [{"max_pool": 3, "stride": 3}]},
        {"concat": [[{**CONV, "bias": False}], []]},
        norm="batch",
    )
    plain = chain(
        [{**CONV, "groups": 2}],
        {"times": 2, "layers": [{"max_pool": 3}]},
        {"concat": [[CONV], []]},
    )
    assert short(written) == plain
    assert meaning(plain) == meaning(written)


def test_a_chain_is_written_as_a_space_writes_it() -> None:
    place = chain(
        {"times": 2, "layers": [{"conv": 16, "kernel": 3, "stride": 1}]},
        {"concat": [[{"max_pool": 3, "stride": 1, "padding": 1}], []]},
        norm="batch",
    )
    given = chain(
        {"times": 2, "layers": [CONV]},
        {"concat": [[{"max_pool": 3, "stride": 1, "padding": "same"}], []]},
    )
    found = aligned(given, place)
    assert found["layers"][0]["layers"] == [{**CONV, "stride": 1}]
    assert found["norm"] == "batch"
    assert meaning(found) == meaning(given)
    longer = chain(CONV, CONV, CONV)
    assert aligned(longer, place)["layers"] == [CONV, CONV, CONV]


def test_words_tell_kinds_of_layers_and_their_neighbours() -> None:
    kinds, pairs = words(chain({"concat": [[CONV], [{"max_pool": 3, "stride": 1}]]}, CONV))
    assert kinds == {
        "concat of 2": 1,
        "conv kernel 3": 2,
        "max_pool stride 1": 1,
        "global_pool": 1,
        "linear": 1,
    }
    assert pairs["max_pool stride 1 > conv kernel 3"] == 1
