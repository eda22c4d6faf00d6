"""State dicts with the names of torchvision and timm land where they belong.

What gives them is written from those programs' networks by the names of their tensors alone, and
computes: no two of its tensors are alike, so that any that is exchanged shows.
"""

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import deep_families as deep
import inception_families as inception
import mobile_families as mobile
import pytest
import torch
from conftest import problems_of
from given_weights import GivenWeights
from torch.nn import functional

from evonas.conversion.conversion import Conversion
from evonas.conversion.state_dict_reader import read_state_dict
from evonas.conversion.tensor_file import TensorFile
from evonas.models import build
from evonas.presets import preset
from evonas.presets.resizing import sized

Family = Callable[..., torch.Tensor]

# By preset, of one program or another; and the side of the image that both see.
BOTTLENECKS = (3, 4, 6, 3)
PROGRAMS: Mapping[str, tuple[Family, int]] = {
    "resnet18": (partial(deep.resnet, layers=(2, 2, 2, 2), is_deep=False), 32),
    "resnet50": (partial(deep.resnet, layers=BOTTLENECKS), 32),
    "resnext50_32x4d": (partial(deep.resnet, layers=BOTTLENECKS, groups=32, width=4), 32),
    "se_resnet50": (partial(deep.resnet, layers=BOTTLENECKS, squeeze=16), 32),
    "preact_resnet50": (deep.resnetv2, 32),
    "resnest14d": (partial(deep.resnest, layers=(1, 1, 1, 1)), 64),
    "densenet121": (partial(deep.densenet, layers=(6, 12, 24, 16), first=64, growth=32), 32),
    "dpn68": (deep.dpn68, 32),
    "cspdarknet53": (partial(deep.darknet, is_partial=True), 32),
    "xception": (deep.xception, 64),
    "mnasnet_b1": (mobile.mnasnet, 32),
    "mnasnet_a1": (partial(mobile.timm_mobile, stages=mobile.MNASNET_A1, act=torch.relu), 32),
    "mnasnet_b1 of timm": (
        partial(mobile.timm_mobile, stages=mobile.MNASNET, act=torch.relu),
        32,
    ),
    "mobilenet_v1": (mobile.mobilenet_v1, 32),
    "mobilenet_v2": (mobile.mobilenet_v2, 32),
    "mobilenet_v2 of timm": (
        partial(mobile.timm_mobile, stages=mobile.MOBILENET_V2, act=functional.relu6),
        32,
    ),
    "mobilenet_v3_large": (mobile.mobilenet_v3, 32),
    "efficientnet_b0": (mobile.efficientnet, 32),
    "efficientnet_b0 of timm": (
        partial(mobile.timm_mobile, stages=mobile.EFFICIENTNET, act=functional.silu, first=0.25),
        32,
    ),
    "shufflenet_v2": (mobile.shufflenet, 32),
    "squeezenet_11": (mobile.squeezenet, 32),
    "googlenet": (inception.googlenet, 32),
    "inception_v3": (inception.inception_v3, 96),
}
# Larger ones, whose places are looked at without numbers.
LARGER: Mapping[str, Family] = {
    "resnet34": partial(deep.resnet, layers=BOTTLENECKS, is_deep=False),
    "resnet101": partial(deep.resnet, layers=(3, 4, 23, 3)),
    "wide_resnet50_2": partial(deep.resnet, layers=BOTTLENECKS, width=128),
    "resnext101_64x4d": partial(deep.resnet, layers=(3, 4, 23, 3), groups=64, width=4),
    "resnest50d": partial(deep.resnest, layers=BOTTLENECKS),
    "efficientnet_b3": partial(mobile.efficientnet, width=1.2, depth=1.4),
    "densenet161": partial(deep.densenet, layers=(6, 12, 36, 24), first=96, growth=48),
}
AUXILIARY = {"googlenet": 8, "inception_v3": 5}  # layers that only a training needs


def read(name: str, state: dict[str, torch.Tensor], is_ordered: bool = True) -> Conversion:
    """The state in the order of its network, or by name, as safetensors have it."""
    tensors = state if is_ordered else dict(sorted(state.items()))
    file = TensorFile(Path("file"), "state dict", tensors, is_ordered)
    return read_state_dict(file, preset(name.split()[0]))


@pytest.mark.slow
@pytest.mark.parametrize("name", PROGRAMS)
@torch.no_grad()
def test_a_published_state_dict_gives_the_same_numbers_here(name: str) -> None:
    family, side_px = PROGRAMS[name]
    weights = GivenWeights()
    images = weights.images(3, side_px)
    wanted = family(weights, images)
    found = read(name, weights.state)
    assert found.layers[0] == found.layers[1]
    assert len(found.left_out) == AUXILIARY.get(name, 0)
    assert found.has_known_names
    chosen = preset(name.split()[0])
    network = build(chosen.blueprint, chosen.scale).double().eval()
    network.load_state_dict(dict(found.tensors))
    assert (network(images) - wanted).abs().max() <= 1e-8 * wanted.abs().max()
    by_name = read(name, weights.state, is_ordered=False)
    assert all(torch.equal(by_name.tensors[key], found.tensors[key]) for key in found.tensors)


@pytest.mark.parametrize("name", LARGER)
def test_larger_members_of_a_family_are_complete(name: str) -> None:
    weights = GivenWeights("meta")
    LARGER[name](weights, weights.images(3, 64))
    found = read(name, weights.state)
    assert (found.layers[0], found.missing) == (found.layers[1], ())


def test_networks_without_norms_land_too() -> None:
    weights = GivenWeights()
    rows = ((64,), (128,), (256, 256), (512, 512), (512, 512))
    with torch.no_grad():
        wanted = deep.vgg(weights, weights.images(3, 32), rows)
        chosen = sized(preset("vgg11"), "3x32x32", 10)
        file = TensorFile(Path("file"), "state dict", weights.state, True)
        network = build(chosen.blueprint, chosen.scale)
        network.load_state_dict(dict(read_state_dict(file, chosen).tensors))
        given = network.double().eval()(weights.images(3, 32))
    assert (given - wanted).abs().max() <= 1e-8 * wanted.abs().max()


def test_a_convolution_of_a_whole_map_is_a_linear_layer() -> None:
    # timm has VGG's first linear layer so.
    weights = GivenWeights("meta")
    rows = ((64,) * 2, (128,) * 2, (256,) * 3, (512,) * 3, (512,) * 3)
    deep.vgg(weights, weights.images(3, 32), rows, is_normed=True)
    wide = weights.state["classifier.0.weight"]
    weights.state["classifier.0.weight"] = wide.reshape(4096, 32, 4, 4)
    file = TensorFile(Path("file"), "state dict", weights.state, True)
    found = read_state_dict(file, sized(preset("vgg16_bn"), "3x32x32", 10))
    assert found.tensors["head.1.0.weight"].shape == wide.shape


def a_state(name: str = "mobilenet_v2") -> dict[str, torch.Tensor]:
    weights = GivenWeights("meta")
    PROGRAMS[name][0](weights, weights.images(3, 64))
    return weights.state


def test_names_of_another_version_say_the_same() -> None:
    # Before torchvision 0.3 DenseNet's layers were called so.
    state = a_state("densenet121")
    older = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))(\d)", r"\1.\2", name): tensor
        for name, tensor in state.items()
    }
    assert older.keys() != state.keys()
    for is_ordered in (True, False):
        found = read("densenet121", older, is_ordered)
        assert found.layers[0] == found.layers[1]
        assert not found.has_known_names


def test_a_file_without_its_classifier_is_read_and_says_so() -> None:
    state = a_state()
    headless = {key: state[key] for key in state if not key.startswith("classifier")}
    found = read("mobilenet_v2", headless)
    assert found.layers == (104, 105)
    assert found.has_known_names
    assert found.missing == ("head.classifier.0.bias", "head.classifier.0.weight")


def test_a_file_of_another_network_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    some = {name: preset(name) for name in ("mobilenet_v1", "mobilenet_v2", "mobilenet_v2_140")}
    monkeypatch.setattr("evonas.conversion.state_dict_reader.presets", lambda: some)
    (told,) = problems_of(read, "mobilenet_v2_140", a_state())
    assert told.startswith("file is of another network than mobilenet_v2_140 with 1000 classes.")
    assert told.endswith("3,504,872 parameters are as many as of --preset mobilenet_v2.")
    state = a_state()
    del state["features.3.conv.1.0.weight"]
    (told,) = problems_of(read, "mobilenet_v2", state)
    assert "It lacks 2 layers: stage_2.1.layers.1.0 (weight (144, 1, 3, 3))" in told
    assert "No published network with 1000 classes has" in told


def test_a_file_of_other_classes_is_told_by_their_number() -> None:
    state = a_state()
    for own in ("weight", "bias"):
        state[f"classifier.1.{own}"] = state[f"classifier.1.{own}"][:37]
    (told,) = problems_of(read, "mobilenet_v2", state)
    assert told.startswith("file tells 37 classes apart")
    assert told.endswith("Write --classes 37.")
