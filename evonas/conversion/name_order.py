"""The order of layers whose file has them by name, from their names alone."""

import re

# Words of torchvision and timm that say where something stands among its like, in the order of a
# network. Between both rows stand all others, by their numbers, then by name.
FIRST = (
    *("stem", "conv_stem", "conv_down", "conv_exp", "skip", "skipbn", "conv2d"),
    *("mixed_5b", "repeat", "mixed_6a", "repeat_1", "mixed_7a", "repeat_2", "conv2d_7b"),
    *("branch1x1", "branch5x5", "branch3x3", "branch7x7", "branch7x7x3"),
    *("branch3x3dbl", "branch7x7dbl", "branch_pool"),
)
LAST = (
    *("conv_transition_b", "conv_transition", "se", "conv_head", "norm", "pre_logits", "head"),
    *("last_linear", "classif", "fc", "classifier"),
)
RANKS = {word: rank - len(FIRST) for rank, word in enumerate(FIRST)}
RANKS |= {word: rank + 1 for rank, word in enumerate(LAST)}
SIZE = re.compile(r"\d+x\d+(x\d+)?")  # of a kernel, which is no place
COUNTED = re.compile(r"_\d+[a-z]?$")  # behind a word that occurs again
NOWHERE = float("inf")  # behind all numbers

Place = tuple[float, tuple[float, ...], str, str]


def place(name: str) -> list[Place]:
    """By this names are sorted as their layers follow each other.

    >>> names = ["fc", "layer1.10.conv1", "layer1.9.conv2", "layer1.9.conv1", "bn1"]
    >>> sorted(names, key=place)
    ['bn1', 'layer1.9.conv1', 'layer1.9.conv2', 'layer1.10.conv1', 'fc']
    """
    return [_place(part) for part in name.split(".")]


def _place(part: str) -> Place:
    word = SIZE.sub("", part)
    numbers = tuple(float(number) for number in re.findall(r"\d+", word))
    return RANKS.get(part, RANKS.get(COUNTED.sub("", part), 0)), numbers or (NOWHERE,), word, part
