"""Weights files of Darknet (github.com/pjreddie/darknet), read onto published networks."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path

import torch

from evonas.conversion.conversion import Conversion, without_weights
from evonas.conversion.darknet_file import DarknetFile, read_file
from evonas.conversion.darknet_order import Section, sections
from evonas.errors import SettingsError
from evonas.models import Network
from evonas.models.detection.anchored import Settling
from evonas.presets import Preset, preset
from evonas.presets.resizing import sized

# Published networks, and the cfg files of Darknet that are the same.
CFGS: Mapping[str, str] = {
    "darknet19": "darknet19.cfg",
    "darknet53": "darknet53.cfg",
    "cspdarknet53_mish": "csdarknet53-omega.cfg",
    "vgg16": "vgg-16.cfg",
    "yolov2_coco": "yolov2.cfg",
    "yolov2_voc": "yolov2-voc.cfg",
    "yolov2_tiny_voc": "yolov2-tiny-voc.cfg",
    "yolov3_coco": "yolov3.cfg",
    "yolov3_voc": "yolov3-voc.cfg",
    "yolov3_tiny": "yolov3-tiny.cfg",
    "yolov3_spp": "yolov3-spp.cfg",
    "yolov4_coco": "yolov4.cfg",
    "yolov4_tiny": "yolov4-tiny.cfg",
}
BATCH = 64  # images of a step, in all of these


def read_darknet(file: Path, chosen: Preset) -> Conversion:
    """What a file of Darknet is in a published network.

    A file may end behind any convolution, as darknet53.conv.74 does: what it has is read.

    Raises:
        SettingsError: Darknet has no such network, has not written the file, or the numbers are
            those of another network.
    """
    if chosen.name not in CFGS:
        raise SettingsError(
            f"--preset {chosen.name}: no cfg of Darknet is this network. Write one of those that "
            f"are: {', '.join(CFGS)}."
        )
    given, network = read_file(file), without_weights(chosen)
    order, count = sections(network), len(given.numbers)
    read = _complete(order, count)
    if not read:
        raise SettingsError(f"{file} {_misfit(chosen, order, count)} {_advice(count)}")
    return Conversion(
        tensors=_tensors(given, order, read, network) | _steps(given, order[read:], network),
        origin=f"Darknet {'.'.join(map(str, given.version))}, {CFGS[chosen.name]}",
        images_seen=given.images_seen,
        layers=(read, len(order)),
        numbers=count,
        missing=_of(order[read:]),
    )


def _complete(order: Sequence[Section], count: int) -> int:
    """How many sections so many numbers are; 0 if the last would be cut, or some are left over."""
    ends = list(accumulate(section.numbers for section in order))
    return ends.index(count) + 1 if count in ends else 0


def _tensors(
    given: DarknetFile, order: Sequence[Section], read: int, network: Network
) -> dict[str, torch.Tensor]:
    """The tensors of the sections that were read; a norm begins with no batch seen."""
    state, found = network.state_dict(), dict[str, torch.Tensor]()
    rest = torch.from_numpy(given.numbers)
    for index, section in enumerate(order[:read], 1):
        values, rest = rest[: section.numbers], rest[section.numbers :]
        for name, part in section.parted(values):
            _check(part, name, f"{given.path}: convolution {index} of {len(order)}")
            whole = found.setdefault(name, torch.empty_like(state[name], device="cpu"))
            section.put(part, whole)
        if section.norm is not None:
            found[f"{section.norm}.num_batches_tracked"] = torch.tensor(0)
    halved = _of(order[read:])
    return {name: tensor for name, tensor in found.items() if name not in halved}


def _steps(
    given: DarknetFile, unread: Sequence[Section], network: Network
) -> dict[str, torch.Tensor]:
    """What YOLOv2 counts: a network that was read whole goes on, and does not begin by settling."""
    counters = [name for name, module in network.named_modules() if isinstance(module, Settling)]
    steps = torch.tensor([0 if unread else given.images_seen // BATCH])
    return {f"{name}.seen": steps for name in counters}


def _of(order: Sequence[Section]) -> tuple[str, ...]:
    """The names of the sections' tensors; a layer may be of two sections."""
    return tuple(dict.fromkeys(name for section in order for name in section.tensors))


def _check(values: torch.Tensor, name: str, where: str) -> None:
    """Numbers of another network would be read as they come; their variances give them away."""
    is_variance = name.endswith("running_var")
    if not values.isfinite().all() or (is_variance and (values < 0).any()):
        what = "a negative variance" if is_variance else "a number that is not finite"
        raise SettingsError(
            f"{where} would have {what} ({name}). The file is damaged, or of another network than "
            "--preset says."
        )


def _misfit(chosen: Preset, order: Sequence[Section], count: int) -> str:
    """What is wrong with a file of so many numbers."""
    ends = list(accumulate(section.numbers for section in order))
    named = f"{chosen.name} with {chosen.scale.classes} classes"
    text = f"has {count:,} numbers, and {named} needs {ends[-1]:,}"
    if count > ends[-1]:
        return f"{text}: {count - ends[-1]:,} are left over."
    cut = sum(end <= count for end in ends)
    return f"{text}: they end within convolution {cut + 1} of {len(order)}, {order[cut].layer}."


def _advice(count: int) -> str:
    """Words by which a file of so many numbers can be read."""
    words = [word for name in CFGS for word in _fitting(preset(name), count)]
    if words:
        return f"They are as many as of {' or of '.join(words)}."
    return f"Nor does another fit, with any number of classes: {', '.join(CFGS)}."


def _fitting(other: Preset, count: int) -> Iterator[str]:
    """The words for a preset that needs so many numbers, with as many classes as that takes."""
    one, two = (_order(sized(other, classes=classes)) for classes in (1, 2))
    of_one, of_two = (sum(section.numbers for section in order) for order in (one, two))
    more, rest = divmod(count - of_one, of_two - of_one)
    if more >= 0 and rest == 0:
        is_published = more + 1 == other.scale.classes
        yield f"--preset {other.name}{'' if is_published else f' --classes {more + 1}'}"
    elif _complete(one, count):
        yield f"a part of --preset {other.name}"


def _order(chosen: Preset) -> list[Section]:
    return sections(without_weights(chosen))
