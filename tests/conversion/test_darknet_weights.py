"""Files of Darknet, written here by another program, lie in the networks as they lay in Darknet."""

import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cfgs
import numpy as np
import pytest
import torch
from cfgs import Cfg, Numbers, walked, write

from evonas.blueprint import plan_network
from evonas.conversion.conversion import without_weights
from evonas.conversion.darknet_file import read_file
from evonas.conversion.darknet_order import sections
from evonas.conversion.darknet_reader import CFGS, read_darknet
from evonas.errors import SettingsError
from evonas.models import Network
from evonas.networks.plan import Plan
from evonas.presets import Preset, preset
from evonas.presets.cfg_order import in_darknet_order
from evonas.presets.resizing import sized

CLASSES = 7


@dataclass(frozen=True)
class Example:
    """A network as its cfg lists it, and a size at which a test can run it."""

    cfg: Callable[..., Cfg]
    width: float
    resolution_px: int = 64


EXAMPLES = {
    "darknet19": Example(cfgs.darknet19, 0.25),
    "darknet53": Example(cfgs.darknet53, 0.25),
    "cspdarknet53_mish": Example(cfgs.csdarknet53, 0.25),
    "vgg16": Example(cfgs.vgg16, 0.125, 32),
    "yolov2_coco": Example(cfgs.yolov2, 0.25),
    "yolov2_tiny_voc": Example(cfgs.yolov2_tiny, 0.5),
    "yolov3_coco": Example(cfgs.yolov3, 0.25),
    "yolov3_spp": Example(cfgs.yolov3_spp, 0.25),
    "yolov3_tiny": Example(cfgs.yolov3_tiny, 0.5),
    "yolov4_coco": Example(cfgs.yolov4, 0.25),
    "yolov4_tiny": Example(cfgs.yolov4_tiny, 0.5),
}
OF_VOC = {"yolov2_voc": "yolov2_coco", "yolov3_voc": "yolov3_coco"}  # the same, other classes


def small(name: str) -> Preset:
    example, chosen = EXAMPLES[name], sized(preset(name), classes=CLASSES)
    size = {"width": example.width, "resolution_px": example.resolution_px}
    return replace(chosen, scale=replace(chosen.scale, **size))


def images(chosen: Preset) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(2, *chosen.scale.input_shape, generator=generator)


def small_file(name: str, path: Path) -> tuple[Path, list[Numbers], list[torch.Tensor]]:
    """A file of a small network, its numbers by layer, and what the network makes of images."""
    example = EXAMPLES[name]
    with torch.no_grad():
        numbers, outputs = walked(example.cfg(example.width, CLASSES), images(small(name)))
    return write(path / "small.weights", numbers), numbers, outputs


def test_each_network_that_can_be_read_is_under_test() -> None:
    assert EXAMPLES.keys() | OF_VOC.keys() == CFGS.keys()


def raw(plan: Plan) -> Plan:
    """What a cfg has in front of [yolo], or what a classifier gives."""
    predicted = [p.name for p in in_darknet_order(plan) if p.name.startswith("predicted_")]
    return plan.giving(*predicted) if predicted else plan


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_network_computes_what_darknet_computes(name: str, tmp_path: Path) -> None:
    file, _, expected = small_file(name, tmp_path)
    plan = raw(plan_network(small(name).blueprint, small(name).scale))
    network = Network(plan).eval()
    tensors = read_darknet(file, small(name)).tensors
    network.load_state_dict({key: tensors[key] for key in network.state_dict()})
    with torch.no_grad():
        made = network(images(small(name)))
    for maps, wanted in zip(made if isinstance(made, tuple) else [made], expected, strict=True):
        maps, wanted = maps.flatten(1), wanted.flatten(1)
        assert (maps - wanted).abs().max() < 1e-4 * wanted.abs().max()


@pytest.mark.parametrize("name", EXAMPLES)
def test_of_a_published_size_each_section_has_the_shape_that_the_cfg_has(name: str) -> None:
    chosen = preset(name)
    image = torch.empty(1, *chosen.scale.input_shape, device="meta")
    numbers, _ = walked(EXAMPLES[name].cfg(), image, cfgs.without_numbers)
    order = sections(without_weights(chosen))
    told = [(torch.Size(section.shape).numel(), section.norm is not None) for section in order]
    assert told == [(each.kernel.numel(), len(each.vectors) == 4) for each in numbers]


def test_numbers_lie_in_the_tensors_that_they_are_of(tmp_path: Path) -> None:
    file, numbers, _ = small_file("darknet53", tmp_path)
    tensors = read_darknet(file, small("darknet53")).tensors
    for index, norm, layer in (
        (0, "stem.1", "stem.0"),
        (3, "stage_2.layers.1.1", "stage_2.layers.1.0"),
    ):
        names = ("bias", "weight", "running_mean", "running_var")
        for name, vector in zip(names, numbers[index].vectors, strict=True):
            assert torch.equal(tensors[f"{norm}.{name}"], vector)
        assert torch.equal(tensors[f"{layer}.weight"], numbers[index].kernel)
    assert torch.equal(tensors["head.classifier.0.bias"], numbers[-1].vectors[0])


def test_of_a_cross_stage_the_route_around_comes_first(tmp_path: Path) -> None:
    file, numbers, _ = small_file("cspdarknet53_mish", tmp_path)
    tensors = read_darknet(file, small("cspdarknet53_mish")).tensors
    around, through = numbers[2].kernel, numbers[3].kernel
    assert torch.equal(tensors["stage_1.1.0.weight"], torch.cat([around, through]))
    behind = numbers[7].kernel  # reads the blocks' 16 maps first
    assert torch.equal(
        tensors["stage_1.3.0.weight"], torch.cat([behind[:, 16:], behind[:, :16]], 1)
    )


def test_a_file_that_ends_early_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    _, numbers, _ = small_file("cspdarknet53_mish", tmp_path)
    part = write(tmp_path / "csdarknet53.conv.3", numbers[:3])
    read = read_darknet(part, small("cspdarknet53_mish"))
    assert read.layers == (3, len(numbers))
    kernels = [name for name, tensor in read.tensors.items() if tensor.dim() == 4]
    assert kernels == ["stem.0.weight", "stage_1.0.0.weight"]  # of the next one half is there


@pytest.mark.parametrize("version", [(0, 1, 0), (0, 2, 5)])
def test_both_kinds_of_header_are_read(version: tuple[int, int, int], tmp_path: Path) -> None:
    numbers = walked([cfgs.Conv(4, 3)], torch.rand(1, 3, 8, 8))[0]
    read = read_file(write(tmp_path / "one.weights", numbers, version))
    assert (read.version, read.images_seen) == (version, cfgs.IMAGES_SEEN)
    assert read.numbers.tobytes() == numbers[0].content


def message(file: Path, chosen: Preset) -> str:
    with pytest.raises(SettingsError) as told:
        read_darknet(file, chosen)
    return str(told.value)


def test_a_file_of_another_length_is_refused_with_words_that_fit(tmp_path: Path) -> None:
    file = tmp_path / "darknet53.weights"
    count = sum(section.numbers for section in sections(without_weights(preset("darknet53"))))
    content = np.ones(count, "<f4")
    file.write_bytes(struct.pack("<3iQ", 0, 2, 0, 0) + content.tobytes())
    assert message(file, preset("darknet19")) == (
        f"{file} has 41,645,640 numbers, and darknet19 with 1000 classes needs 20,856,776: "
        "20,788,864 are left over. They are as many as of --preset darknet53."
    )
    with_more = sized(preset("darknet53"), classes=1010)
    assert "they end within convolution 53 of 53, head.classifier.0." in message(file, with_more)


def test_a_file_of_own_classes_is_told_by_their_number(tmp_path: Path) -> None:
    count = sum(
        s.numbers for s in sections(without_weights(sized(preset("darknet19"), classes=12)))
    )
    file = tmp_path / "mine.weights"
    file.write_bytes(struct.pack("<3iQ", 0, 2, 0, 0) + bytes(4 * count))
    assert message(file, preset("darknet19")).endswith(
        "They are as many as of --preset darknet19 --classes 12."
    )


def test_numbers_of_another_network_are_told_by_their_variances(tmp_path: Path) -> None:
    _, numbers, _ = small_file("darknet19", tmp_path)
    variance = numbers[4].vectors[3]
    variance[2] = -variance[2]
    assert (
        "convolution 5 of 19 would have a negative variance (layer_3.2.1.running_var)"
        in message(write(tmp_path / "wrong.weights", numbers), small("darknet19"))
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"<!DOCTYPE html><html></html>", "it is a web page"),
        (b"[net]\nbatch=1\nsubdivisions=1\n", "it is a cfg"),
        (b"", "it does not begin with a version"),
        (struct.pack("<3iQ", 0, 2, 0, 0), "is cut off"),
        (struct.pack("<3iQ3x", 0, 2, 0, 0), "is cut off"),
    ],
)
def test_what_is_no_weights_file_is_told(content: bytes, told: str, tmp_path: Path) -> None:
    file = tmp_path / "some.weights"
    file.write_bytes(content)
    assert told in message(file, preset("darknet53"))


def test_a_network_that_darknet_does_not_have_is_refused(tmp_path: Path) -> None:
    assert message(tmp_path, preset("mobilenet_v2")).startswith(
        "--preset mobilenet_v2: no cfg of Darknet is this network. Write one of those that are: "
        "darknet19, darknet53, "
    )


@pytest.mark.parametrize(
    ("file", "name", "rest"),
    [
        ("darknet19_448.conv.23", "yolov2_coco", "deep_2"),
        ("darknet53.conv.74", "yolov3_coco", "top_down_3"),
        ("yolov3-tiny.conv.15", "yolov3_tiny", "predicted_2"),
        ("yolov4.conv.137", "yolov4_coco", "predicted_1"),
        ("yolov4-tiny.conv.29", "yolov4_tiny", "predicted_2"),
    ],
)
def test_where_files_end_with_which_trainings_of_darknet_begin(
    file: str, name: str, rest: str
) -> None:
    cutoff = int(file.rpartition(".")[2])
    first = [each for each in EXAMPLES[name].cfg()[:cutoff] if isinstance(each, cfgs.Conv)]
    order = sections(without_weights(preset(name)))
    assert order[len(first)].layer.split(".")[0] == rest
    assert all(section.layer.split(".")[0] != rest for section in order[: len(first)])


def test_a_network_that_was_read_whole_does_not_settle_again(tmp_path: Path) -> None:
    file, numbers, _ = small_file("yolov2_tiny_voc", tmp_path)
    whole = read_darknet(file, small("yolov2_tiny_voc")).tensors
    assert whole["settling.seen"].tolist() == [cfgs.IMAGES_SEEN // 64]
    part = read_darknet(write(file, numbers[:-1]), small("yolov2_tiny_voc")).tensors
    assert part["settling.seen"].tolist() == [0]
