from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from conftest import a_network as network
from conftest import a_stage as stage
from hypothesis import given, settings
from hypothesis import strategies as st

from evonas.blueprint import Blueprint, network_key
from evonas.models.network import build_layer
from evonas.networks import Scale, aligned, meaning, scaled, short, tidied
from evonas.networks.stages.plan import plan_stages
from evonas.networks.stages.section import DEFAULT_ATTENTION, can_skip
from evonas.presets import preset
from evonas.space import load_space

FULL = Scale("full", resolution_px=32)
IDENTITY = {"operation": "identity", "channels": 16, "layers": 1, "stride": 1}
property_test = settings(deadline=None, derandomize=True, max_examples=60)


@pytest.mark.parametrize(
    ("changes", "matters"),
    [
        ({}, True),
        ({"channels": 24}, False),
        ({"stride": 2}, False),
        ({"channels": 24, "layers": 2}, True),
        ({"stride": 2, "layers": 2}, True),
    ],
)
def test_a_skip_matters_only_where_a_layer_can_skip(changes: dict[str, Any], matters: bool) -> None:
    ways = [network(stage(**{**changes, "skip": skip})) for skip in ("identity", "none")]
    assert (meaning(ways[0]) != meaning(ways[1])) == matters
    assert [tidied(way)[0]["stages"][0]["skip"] for way in ways] == ["identity", "none"]


def test_later_stages_are_held_against_the_stage_before_them() -> None:
    layers = meaning(network(stage(channels=24), stage(channels=24)))["stages"]
    assert [each["skip"] for each in layers] == ["none", "identity"]


@pytest.mark.parametrize("seed", range(10))
def test_tidying_keeps_every_layer_of_the_network(seed: int) -> None:
    space = load_space("nano")
    values = space.decode(space.sample(np.random.default_rng(seed))).network
    greedy = {**values, "stages": [{**s, "skip": "identity"} for s in values["stages"]]}
    tidy, _ = tidied(greedy)
    size = {"input": [3, 32, 32], "classes": 10}
    assert plan_stages({**tidy, **size}) == plan_stages({**greedy, **size})


@pytest.mark.parametrize(
    ("key", "default", "other"),
    [
        ("norm", "batch", "group"),
        ("initialisation", "auto", "xavier"),
        ("drop_path", 0, 0.2),
        ("drop_path", 0.0, 0.2),
        ("attention", DEFAULT_ATTENTION, {**DEFAULT_ATTENTION, "gate": "hard_sigmoid"}),
        ("attention", {"base": "input"}, {"base": "expanded"}),
    ],
)
def test_what_is_meant_anyway_need_not_be_said(key: str, default: Any, other: Any) -> None:
    plain = network(stage(se_ratio=0.25))
    assert short({**plain, key: default}) == short(plain)
    assert meaning({**plain, key: default}) == meaning(plain)
    assert key in short({**plain, key: other})
    assert meaning({**plain, key: other}) != meaning(plain)
    assert tidied({**plain, key: default})[0] == {**plain, key: default}


@pytest.mark.parametrize(
    ("key", "default", "other"), [("activation", "relu", "relu6"), ("linear", True, False)]
)
def test_a_stage_need_not_say_what_all_stages_do(key: str, default: Any, other: Any) -> None:
    plain = stage(operation="depthwise_separable")
    assert short(network({**plain, key: default})) == short(network(plain))
    assert meaning(network({**plain, key: default})) == meaning(network(plain))
    assert meaning(network({**plain, key: other})) != meaning(network(plain))


@pytest.mark.parametrize(
    ("head", "default"), [({"hidden": 0}, True), ({"fixed": False}, True), ({"hidden": 8}, False)]
)
def test_a_head_need_not_say_what_it_lacks(head: dict[str, Any], default: bool) -> None:
    plain = network()
    said = {**plain, "head": {**plain["head"], **head}}
    assert (short(said) == short(plain)) == default
    assert (meaning(said) == meaning(plain)) == default


def test_attention_means_nothing_where_no_stage_squeezes() -> None:
    squeezing = {"attention": {**DEFAULT_ATTENTION, "base": "expanded"}}
    assert short(network(**squeezing)) == short(network())
    assert meaning(network(**squeezing)) == meaning(network())


def test_an_identity_takes_no_other_keys() -> None:
    tidy, repairs = tidied(network({**stage(skip="none"), **IDENTITY}))
    assert (tidy["stages"], repairs) == ([IDENTITY], ())


def test_an_identity_that_passes_maps_on_means_nothing() -> None:
    plain = network(stage(), stage(stride=2))
    for place in range(3):
        stages = list(plain["stages"])
        stages.insert(place, IDENTITY)
        assert meaning({**plain, "stages": stages}) == meaning(plain)
        assert scaled({**plain, "stages": stages}, FULL) == scaled(plain, FULL)


@pytest.mark.parametrize("change", [{"channels": 24}, {"stride": 2}])
def test_an_identity_that_changes_maps_is_a_layer(change: dict[str, Any]) -> None:
    changed = network({**IDENTITY, **change})
    assert len(scaled(changed, FULL)["stages"]) == 1
    twice = network({**IDENTITY, **change, "layers": 2})
    assert len(meaning(twice)["stages"]) == len(meaning(changed)["stages"]) == 1


def test_an_identity_whose_stride_the_scale_drops_vanishes_with_it() -> None:
    small = Scale("proxy", resolution_px=8, smallest_map_px=4)
    changed = network({**IDENTITY, "stride": 2}, stage(kernel=5))
    assert [each["kernel"] for each in scaled(changed, small)["stages"]] == [5]


def test_a_network_of_identities_alone_is_its_stem_and_head() -> None:
    sized = scaled(network(IDENTITY, {**IDENTITY, "layers": 3}), FULL)
    assert sized["stages"] == []
    assert [part.name for part in plan_stages(sized).parts] == ["stem", "head"]


@st.composite
def written(draw: st.DrawFn) -> dict[str, Any]:
    """Up to five stages, identities among them."""
    pick = st.sampled_from
    stages = draw(
        st.lists(
            st.fixed_dictionaries(
                {
                    "operation": pick(["conv", "depthwise_separable", "identity"]),
                    "kernel": pick([3, 5]),
                    "se_ratio": st.just(0),
                    "skip": pick(["none", "identity"]),
                    "channels": pick([16, 24]),
                    "layers": st.integers(1, 3),
                    "stride": pick([1, 2]),
                }
            ),
            min_size=1,
            max_size=5,
        )
    )
    return network(*stages)


@property_test
@given(written())
def test_writing_every_layer_as_a_stage_of_its_own_changes_nothing(given: dict[str, Any]) -> None:
    apart = [
        {**each, "layers": 1, "stride": each["stride"] if index == 0 else 1}
        for each in given["stages"]
        for index in range(each["layers"])
    ]
    scale = Scale("full", resolution_px=64)
    one, other = Blueprint(given), Blueprint({**given, "stages": apart})
    assert one.fingerprint == other.fingerprint
    assert network_key(one, scale) == network_key(other, scale)


@property_test
@given(written())
def test_tidy_and_short_networks_mean_the_same(given: dict[str, Any]) -> None:
    before = deepcopy(given)
    tidy, _ = tidied(given)
    assert meaning(tidy) == meaning(given) == meaning(short(given))
    assert given == before
    assert tidied(tidy) == (tidy, ())
    assert short(short(given)) == short(given)


@property_test
@given(written(), st.sampled_from([0.25, 0.5, 1.0]))
def test_every_layer_of_the_plan_is_one_of_the_meaning(given: dict[str, Any], width: float) -> None:
    sized = scaled(given, Scale("full", resolution_px=64, width=width))
    layers = [
        layer for part in plan_stages(sized).parts if "stage" in part.name for layer in part.layers
    ]
    changing = [layer for layer in layers if list(build_layer(layer).children())]
    assert len(changing) == len(meaning(sized)["stages"])


def test_only_equal_shapes_can_be_added() -> None:
    assert can_skip(16, 16, 1)
    assert not can_skip(16, 24, 1)
    assert not can_skip(16, 16, 2)


LAYERS = load_space("mobile_layers").template["network"]


def of_proxyless() -> dict[str, Any]:
    """ProxylessNAS as its space has it, with norms of the usual eps."""
    network = preset("proxylessnas_mobile").blueprint.network
    return {key: value for key, value in network.items() if key != "norm_eps"}


def test_layers_find_their_places_in_a_space_of_single_layers() -> None:
    proxyless = of_proxyless()
    placed = aligned(proxyless, LAYERS)
    assert len(placed["stages"]) == len(LAYERS["stages"]) == 22
    assert meaning(placed) == meaning(proxyless)
    # Of three more layers at 32, 40, 80, 96 and 192 channels it leaves 2, 0, 0, 0 and 0 out.
    operations = [each["operation"] for each in placed["stages"]]
    assert [index for index, name in enumerate(operations) if name == "identity"] == [3, 4]


def test_a_network_that_ends_early_is_filled_up_with_identities() -> None:
    proxyless = of_proxyless()
    places = {**LAYERS, "stages": [*LAYERS["stages"], LAYERS["stages"][2] | {"channels": 320}]}
    placed = aligned(proxyless, places)
    assert placed["stages"][-1] == {**IDENTITY, "channels": 320}
    assert meaning(placed) == meaning(proxyless)


@pytest.mark.parametrize(
    ("place", "change", "message"),
    [
        (
            1,
            {"channels": 24},
            "no place for layer 2 of 20, inverted_residual to 24 channels at stride 2",
        ),
        (2, {"layers": 4}, "no place for layer 6 of"),
        (13, {"operation": "conv"}, "no place for layer 20 of"),
    ],
)
def test_a_layer_without_a_place_is_told(place: int, change: dict[str, Any], message: str) -> None:
    proxyless = preset("proxylessnas_mobile").blueprint.network
    stages = [dict(each) for each in proxyless["stages"]]
    stages[place] |= change
    with pytest.raises(ValueError, match=rf"^network\.stages: {message}"):
        aligned({**proxyless, "stages": stages}, LAYERS)


def test_defaults_that_a_space_writes_out_are_written_out() -> None:
    template = network(
        stage(activation="relu6", linear=False),
        norm={"choice": ["group", "batch"]},
        drop_path=0.2,
        attention=DEFAULT_ATTENTION,
    )
    template["head"] |= {"hidden": {"choice": [8, 0]}, "fixed": True}
    placed = aligned(network(stage(linear=False), attention={"base": "expanded"}), template)
    assert (placed["norm"], placed["drop_path"]) == ("batch", 0)
    assert "initialisation" not in placed
    assert placed["stages"] == [stage(activation="relu", linear=False)]
    assert placed["head"] == {"channels": 64, "hidden": 0, "fixed": False}
    assert placed["attention"] == {**DEFAULT_ATTENTION, "base": "expanded"}
    assert meaning(placed) == meaning(network(stage(linear=False)))


def test_a_network_is_left_alone_where_the_space_is_written_otherwise() -> None:
    proxyless = of_proxyless()
    assert aligned(proxyless, load_space("mobile_cells").template["network"]) == proxyless
    assert aligned(proxyless, load_space("darts_cells").template["network"]) == proxyless
