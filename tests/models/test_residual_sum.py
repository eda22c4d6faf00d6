"""Residual blocks: their five orders, three shortcuts, split attention; published networks."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from conftest import a_network, in_onnxruntime
from torch import nn

from evonas.blueprint import Blueprint, plan_network
from evonas.errors import SpaceError
from evonas.exporters.onnx_graph import onnx_graph
from evonas.exporters.source import network_source
from evonas.models import build, count, initialise
from evonas.models.blocks.residual import Bottleneck, Residual
from evonas.models.blocks.residual_sum import (
    SEQUENCES,
    SHORTCUTS,
    AverageProjection,
    Padded,
    Projection,
    ResidualSum,
)
from evonas.models.blocks.split_attention import SplitAttention, hidden_channels
from evonas.models.layers import DropPath, SqueezeExcite
from evonas.models.norms import NORMS
from evonas.networks import Scale, meaning
from evonas.networks.stages.section import ORDERS
from evonas.presets import preset
from evonas.space.check import check_space
from evonas.space.load import load_space_file

orders = pytest.mark.parametrize("order", SEQUENCES)
shortcuts = pytest.mark.parametrize("shortcut", SHORTCUTS)
LETTERS = {nn.Conv2d: "c", nn.BatchNorm2d: "n", nn.ReLU: "a", nn.Dropout: "d", SqueezeExcite: "s"}
ATTENTION = {"squeezed": 2, "activation": "relu", "gate": "sigmoid"}


def basic(**changes: Any) -> Residual:
    """A block that keeps 8 channels, with weights of seed 0."""
    usual = {"in_channels": 8, "out_channels": 8, "kernel": 3, "stride": 1, "inner": 8}
    made = Residual(**{**usual, "activation": "relu", **changes})
    initialise(made, seed=0)
    return made


def bottleneck(**changes: Any) -> Bottleneck:
    """A block from 8 to 16 channels by way of 8, with weights of seed 0."""
    usual = {"in_channels": 8, "out_channels": 16, "kernel": 3, "stride": 1, "inner": 8}
    made = Bottleneck(**{**usual, "activation": "relu", **changes})
    initialise(made, seed=0)
    return made


def images(side: int = 9, channels: int = 8) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(4, channels, side, side, generator=generator)


def written(*parts: nn.Module) -> str:
    """A letter for each layer, in the order in which they are run."""
    modules = [module for part in parts for module in part.modules()]
    return "".join(LETTERS.get(type(module), "") for module in modules)


def test_every_order_that_a_space_may_name_is_there() -> None:
    assert tuple(SEQUENCES) == ORDERS


# arXiv 1603.05027, figure 4: convolution, norm, activation; the sum is the +
@pytest.mark.parametrize(
    ("order", "sequence"),
    [
        ("post", "cnacn+a"),
        ("norm_after_sum", "cnac+na"),
        ("activation_before_sum", "cnacna+"),
        ("activation_first", "acnacn+"),
        ("pre", "nacnac+"),
    ],
)
def test_the_orders_are_those_of_the_paper(order: str, sequence: str) -> None:
    made = basic(order=order)
    assert written(made.first, made.branch) + "+" + written(made.behind_sum) == sequence


@orders
def test_attention_comes_last_in_the_branch_and_dropout_before_the_last_convolution(
    order: str,
) -> None:
    for make in (basic, bottleneck):
        made = make(order=order, attention=ATTENTION, dropout=0.5, drop_path=0.5)
        assert isinstance(made.branch[-1], DropPath)
        assert isinstance(made.branch[-2], SqueezeExcite)
        assert "adc" in written(made.branch)
        assert written(made.branch).count("d") == 1


@orders
def test_a_branch_of_zeros_leaves_what_comes_in(order: str) -> None:
    made = basic(order=order).eval()
    for layer in made.branch.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.zeros_(layer.weight)
    given = images()
    torch.testing.assert_close(made(given), made.behind_sum(given))
    is_unchanged = torch.equal(made(given), given)
    assert is_unchanged == (order in ("activation_before_sum", "activation_first", "pre"))


@orders
@shortcuts
def test_the_shortcut_reads_what_the_first_convolution_reads(order: str, shortcut: str) -> None:
    made = bottleneck(order=order, shortcut=shortcut, stride=2).eval()
    given = images()
    ready = made.first(given)
    assert made.shortcut is not None
    torch.testing.assert_close(
        made(given), made.behind_sum(made.shortcut(ready) + made.branch(ready))
    )
    assert torch.equal(ready, given) == (order not in ("activation_first", "pre"))
    is_normed = order in ("post", "activation_before_sum", "activation_first")
    assert written(made.shortcut).count("n") == (shortcut != "padded" and is_normed)


@shortcuts
def test_there_is_no_shortcut_where_shapes_stay(shortcut: str) -> None:
    assert basic(shortcut=shortcut).shortcut is None
    assert isinstance(basic(shortcut=shortcut, stride=2).shortcut, SHORTCUTS[shortcut])  # type: ignore[arg-type]
    assert basic(shortcut=shortcut, out_channels=16).shortcut is not None


def pixels_seen(shortcut: nn.Module) -> torch.Tensor:
    given = images(5).requires_grad_()
    shortcut(given).square().sum().backward()
    assert given.grad is not None
    return given.grad.ne(0).any(1).any(0)


def test_average_pooling_lets_a_shortcut_see_all_pixels() -> None:
    shape = (8, 16, 2, "batch", False)
    assert pixels_seen(AverageProjection(*shape)).all()
    assert int(pixels_seen(Projection(*shape)).sum()) == 9  # of 25


def test_average_pooling_at_the_border_takes_the_mean_of_what_is_there() -> None:
    (pool, _) = AverageProjection(8, 16, 2, "batch", True)
    pooled = pool(torch.ones(1, 8, 5, 5))
    assert torch.equal(pooled, torch.ones(1, 8, 3, 3))


@pytest.mark.parametrize("out_channels", [4, 8, 12])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_a_padded_shortcut_has_pixels_and_zeros(out_channels: int, stride: int) -> None:
    given = images()
    found = Padded(8, out_channels, stride, "batch", True)(given)
    assert found.shape == (4, out_channels, -(-9 // stride), -(-9 // stride))
    assert torch.equal(found[:, :8], given[:, :out_channels, ::stride, ::stride])
    assert not found[:, 8:].any()


def strides_of(made: nn.Module) -> list[int]:
    return [layer.stride[0] for layer in made.modules() if isinstance(layer, nn.Conv2d)]


def test_the_stride_is_in_the_first_or_in_the_middle_convolution() -> None:
    places = {place: bottleneck(stride=2, stride_place=place) for place in ("first", "middle")}
    assert strides_of(places["first"].branch) == [2, 1, 1]
    assert strides_of(places["middle"].branch) == [1, 2, 1]


def test_split_attention_has_a_pooling_for_the_stride() -> None:
    for place, kinds in (
        ("first", [nn.AvgPool2d, SplitAttention]),
        ("middle", [SplitAttention, nn.AvgPool2d]),
    ):
        made = bottleneck(stride=2, radix=2, stride_place=place)
        found = [type(layer) for layer in made.branch]
        assert [kind for kind in found if kind in kinds] == kinds
        assert set(strides_of(made.branch)) == {1}
        assert made(images()).shape == (4, 16, 5, 5)
    kinds = [type(layer) for layer in bottleneck(radix=2).branch]
    assert nn.AvgPool2d not in kinds


@pytest.mark.parametrize(("groups", "radix"), [(1, 1), (1, 2), (2, 4), (4, 1), (4, 2)])
def test_split_attention_weighs_versions_group_by_group(groups: int, radix: int) -> None:
    # arXiv 2004.08955, equations 1 to 3, one cardinal group after the other
    made = SplitAttention(16, 3, groups, radix, "relu").eval()
    initialise(made, seed=0)
    given, size = images(channels=16), 16 // groups
    versions = made.convolution(given).view(4, radix, groups, size, 9, 9)
    means = versions.sum(1).mean((3, 4)).view(4, 16, 1, 1)
    logits = made.logits(means).view(4, groups, radix, size)
    parts = []
    for group in range(groups):
        own = logits[:, group]
        weights = own.softmax(1) if radix > 1 else own.sigmoid()
        parts.append((versions[:, :, group] * weights[..., None, None]).sum(1))
    torch.testing.assert_close(made(given), torch.cat(parts, 1))


@pytest.mark.parametrize("groups", [1, 2])
def test_versions_that_agree_are_what_split_attention_gives(groups: int) -> None:
    made = SplitAttention(16, 3, groups, 2, "relu").eval()
    weight = made.convolution[0].weight
    assert isinstance(weight, nn.Parameter)
    nn.init.zeros_(weight)
    assert not made(images(channels=16)).any()
    bias = made.convolution[1].bias
    assert isinstance(bias, nn.Parameter)
    nn.init.constant_(bias, 3.0)
    torch.testing.assert_close(made(images(channels=16)), torch.full((4, 16, 9, 9), 3.0))


@pytest.mark.parametrize(
    ("channels", "groups", "radix", "hidden"),
    [
        (64, 1, 2, 32),
        (128, 1, 2, 64),
        (80, 2, 4, 80),
        (96, 4, 1, 32),
        (768, 4, 1, 192),
        (8, 5, 1, 35),
    ],
)
def test_attention_has_a_quarter_of_the_channels_but_some(
    channels: int, groups: int, radix: int, hidden: int
) -> None:
    assert hidden_channels(channels, groups, radix) == hidden


def test_a_dropped_path_leaves_the_shortcut_alone() -> None:
    made = bottleneck(order="pre", drop_path=0.5)
    given = images().repeat(16, 1, 1, 1)
    assert made.shortcut is not None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        out = made(given)
    alone = made.shortcut(made.first(given))
    dropped = (out == alone).flatten(1).all(1)
    assert 16 < dropped.sum() < 48


WAYS = [
    {"order": order, "shortcut": shortcut, "attention": attention}
    for order in SEQUENCES
    for shortcut in SHORTCUTS
    for attention in (None, ATTENTION)
]
SPLIT = [{"radix": radix, "groups": groups} for radix in (1, 2) for groups in (1, 2)]


def all_ways(**changes: Any) -> list[ResidualSum]:
    made: list[ResidualSum] = [basic(**way, **changes) for way in WAYS]
    made += [bottleneck(**way, **changes) for way in WAYS]
    places = ("first", "middle")
    return made + [bottleneck(**s, stride_place=p, **changes) for s in SPLIT for p in places]


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("stride", "side"), [(1, 5), (2, 5), (2, 4), (2, 1), (1, 1), (3, 5)])
def test_all_ways_give_maps_of_the_right_shape(norm: str, stride: int, side: int) -> None:
    for made in all_ways(norm=norm, stride=stride, out_channels=12):
        after = -(-side // stride)
        assert made.eval()(images(side)).shape == (4, 12, after, after)


def test_all_ways_learn() -> None:
    for made in all_ways(stride=2, activation="swish"):
        out = made(images())
        (out * torch.linspace(-1, 1, out.numel()).view_as(out)).sum().backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in made.parameters())
        assert sum(bool(p.grad.any()) for p in made.parameters()) >= 5  # type: ignore[union-attr]


@pytest.mark.parametrize(("stride", "side"), [(1, 5), (2, 5), (2, 6)])
def test_all_ways_compute_the_same_in_onnxruntime(stride: int, side: int) -> None:
    for made in all_ways(stride=stride, dropout=0.5):
        made(2 * images(side) + 1)  # norms that do more than nothing
        model = onnx_graph(made.eval(), (8, side, side), batch=4)
        with torch.no_grad():
            wanted = made(images(side))
        exported = in_onnxruntime(model, images(side))
        torch.testing.assert_close(exported, wanted, atol=1e-4, rtol=1e-4)


def network(stem: dict[str, Any] | None = None, **stage: Any) -> dict[str, Any]:
    """Two bottlenecks behind a stem of 16 channels."""
    usual = {"operation": "bottleneck", "kernel": 3, "mid_ratio": 0.25, "se_ratio": 0}
    shape = {"channels": 16, "layers": 2, "stride": 1}
    whole = {"channels": 16, "kernel": 3, "stride": 2, **(stem or {})}
    return a_network({**usual, **shape, **stage}, stem=whole, head={"channels": 0})


SCALE = Scale("full", resolution_px=16)
EVERYTHING = {"radix": 2, "groups": 2, "shortcut": "average", "order": "pre", "se_ratio": 0.25}


@pytest.mark.parametrize(
    "stage",
    [
        {**EVERYTHING, "dropout": 0.3, "channels": 24, "stride": 2},
        {"shortcut": "padded", "order": "norm_after_sum", "stride": 2, "channels": 24},
        {"operation": "residual", "mid_ratio": 1, "order": "activation_first"},
        {"operation": "bottleneck", "groups": 4, "order": "activation_before_sum"},
    ],
)
def test_the_source_rebuilds_the_network(stage: dict[str, Any]) -> None:
    blueprint = Blueprint(network({"deep": True, "bare": True, "pool": "max"}, **stage))
    made = build(blueprint, SCALE, seed=0).eval()
    names: dict[str, Any] = {"__file__": __file__, "__name__": "model"}
    exec(compile(network_source(plan_network(blueprint, SCALE), "A title"), "m.py", "exec"), names)
    again = names["Network"]().eval()
    again.load_state_dict(made.state_dict())
    given = images(16, 3)
    assert torch.equal(again(given), made(given))


@pytest.mark.parametrize(
    ("ratio", "groups", "radix", "inner"),
    [(0.25, 1, 0, 4), (0.25, 32, 0, 32), (0.5, 3, 0, 9), (0.25, 2, 4, 8), (1, 1, 2, 16)],
)
def test_the_middle_is_in_whole_groups_of_versions(
    ratio: float, groups: int, radix: int, inner: int
) -> None:
    wanted = network(mid_ratio=ratio, groups=groups, radix=radix)
    plan = plan_network(Blueprint(wanted), SCALE)
    assert plan.parts[1].layers[0].arguments["inner"] == inner
    count(plan)  # such a network can be made


def test_what_makes_no_difference_is_not_part_of_the_meaning() -> None:
    assert meaning(network(stride_place="first")) == meaning(network())
    assert meaning(network(shortcut="average")) == meaning(network())
    assert meaning(network({"deep": True, "kernel": 7})) == meaning(network({"deep": True}))
    both: list[dict[str, Any]] = [{"stride": 2}, {"channels": 24, "stride": 2}]
    for changes in both:
        assert meaning(network(stride_place="first", **changes)) != meaning(network(**changes))
        assert meaning(network(shortcut="average", **changes)) != meaning(network(**changes))
    assert meaning(network({"kernel": 7})) != meaning(network())


@pytest.mark.parametrize("operation", ["residual", "bottleneck"])
def test_a_space_with_no_channels_in_the_middle_is_refused(operation: str, tmp_path: Path) -> None:
    scales = {name: {"resolution_px": 16} for name in ("proxy", "full")}
    wanted = network(operation=operation, mid_ratio={"choice": [0, 0.5]})
    file = tmp_path / "space.yaml"
    file.write_text(yaml.safe_dump({"scales": scales, "network": wanted}), encoding="utf-8")
    with pytest.raises(SpaceError, match=f"{operation} needs a mid_ratio above 0"):
        check_space(load_space_file(file))


@pytest.mark.parametrize("deep", [False, True])
def test_a_bare_stem_ends_with_its_convolution(deep: bool) -> None:
    made = build(Blueprint(network({"bare": True, "deep": deep})), SCALE, seed=0)
    assert written(made.get_submodule("stem")) == ("cnacnac" if deep else "c")


@pytest.mark.parametrize(
    ("name", "stages", "counts"),
    [
        # Option A, zeros in place of projections: ResNet-20, 32, 44, 56 and 110.
        ("resnet20_cifar", {"shortcut": "padded"}, (269_722, 40_551_040)),
        ("resnet20_cifar", {"shortcut": "padded", "layers": 5}, (464_154, 68_862_592)),
        ("resnet20_cifar", {"shortcut": "padded", "layers": 7}, (658_586, 97_174_144)),
        ("resnet20_cifar", {"shortcut": "padded", "layers": 9}, (853_018, 125_485_696)),
        ("resnet20_cifar", {"shortcut": "padded", "layers": 18}, (1_727_962, 252_887_680)),
        ("resnet20_cifar", {"layers": 7}, (661_338, 97_436_288)),
        # "3.8 x 10^9" in arXiv 1512.03385, table 1
        ("resnet50", {"stride_place": "first"}, (25_557_032, 3_857_973_248)),
        # ResNeSt-200e, of 320 px, and 269e, of 416
        ("resnest101e 320", {"layers": [3, 24, 36, 3]}, (70_201_544, 35_519_694_848)),
        ("resnest101e 416", {"layers": [3, 30, 48, 8]}, (110_929_480, 77_348_702_208)),
        (
            "resnest50d_4s2x40d",
            {"groups": 4, "radix": 1, "mid_ratio": 0.375},
            (25_677_000, 4_399_827_456),
        ),
        ("resnext101_32x8d", {"mid_ratio": 0.5}, (44_177_704, 7_969_996_800)),  # 32x4d
    ],
)
def test_published_relatives_of_the_presets_have_the_published_counts(
    name: str, stages: dict[str, Any], counts: tuple[int, int]
) -> None:
    name, _, px = name.partition(" ")
    found = preset(name)
    network = found.blueprint.network
    changed = [
        {**stage, **{k: v[index] if isinstance(v, list) else v for k, v in stages.items()}}
        for index, stage in enumerate(network["stages"])
    ]
    scale = replace(found.scale, resolution_px=int(px or found.scale.resolution_px))
    counted = count(plan_network(Blueprint({**network, "stages": changed}), scale))
    assert (counted.parameters, counted.macs) == counts
