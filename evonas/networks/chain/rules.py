"""What the layers of a chain may say, read by `rules`: one table of words, one of their keys."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from evonas.networks import value_rules as rule
from evonas.networks.chain import layer_words as chain
from evonas.networks.names import ACTIVATIONS, NORMS
from evonas.networks.value_rules import (
    MOST_LAYERS,
    MOST_PIXELS,
    Alleles,
    MayBeMissing,
    Problem,
    Rule,
)
from evonas.registry import did_you_mean, unknown_name
from evonas.yaml_file import KeyPath


def _layers(value: Any) -> str | None:
    return None if isinstance(value, list) and value else "write a list with at least one layer."


def _extent(low: int, *words: str) -> Rule:
    """Pixels of both axes, [height, width], or a word."""
    pixels = rule.whole(low, "an extent", most=MOST_PIXELS)

    def problem(value: Any) -> str | None:
        both = value if isinstance(value, list) and len(value) == 2 else [value]
        if value in words or not any(map(pixels, both)):
            return None
        others = "".join(f", or {word}" for word in words)
        return (
            f"{value} is no extent. Write pixels from {low} to {MOST_PIXELS}, as in 3 or [1, 7]"
            f"{others}."
        )

    return problem


def _number(what: str, low: int, *words: str) -> Rule:
    """A whole number, or a word."""

    def problem(value: Any) -> str | None:
        known = "".join(f", or {word}" for word in words)
        found = None if value in words else rule.whole(low, what)(value)
        return found and f"{found[:-1]}{known}."

    return problem


def _numbers(value: Any) -> str | None:
    each = rule.whole(1, "", most=MOST_PIXELS)
    if isinstance(value, list) and 0 < len(value) <= MOST_PIXELS and not any(map(each, value)):
        return None
    return (
        f"{value} is no list of whole numbers from 1 to {MOST_PIXELS}. Write one as in [1, 2, 4]."
    )


def _odd_numbers(value: Any) -> str | None:
    odd = rule.whole(1, "a kernel that keeps the map's size", odd=True)
    return _numbers(value) or next((found for each in value if (found := odd(each))), None)


def _yes(value: Any) -> str | None:
    return None if value is True else f"{value} is not true. Leave out what is not to be."


_EXTENT = _extent(1)
_POSITIVE = rule.number(lambda value: value > 0, "a number above 0")
WORD_VALUES: Mapping[str, Rule] = {
    "conv": _number("a number of channels", 1, chain.CLASSES, chain.INPUT),
    "linear": _number("a number of neurons", 1, chain.CLASSES),
    "max_pool": _EXTENT,
    "avg_pool": _EXTENT,
    "lp_pool": _POSITIVE,
    "global_pool": rule.one_of_words("global_pool", "average", "max"),
    "spp": _numbers,
    "flatten": _yes,
    "lrn": rule.whole(1, "a number of channels"),
    "dropout": rule.probability,
    "pyramid": _odd_numbers,
    "space_to_depth": rule.whole(2, "a factor", most=MOST_PIXELS),
    "channel_group": rule.whole(1, "a group of channels, counted from 1"),
    "channel_shuffle": rule.whole(2, "a number of groups"),
    "spatial_attention": rule.one_of_words("spatial_attention", "pooled", "pointwise"),
    **dict.fromkeys(chain.BRANCHED, _layers),
    "activation": rule.one_of_words("activation", *ACTIVATIONS),
    "norm": rule.one_of_words("norm", *NORMS),
}
LAYER_KEYS: Mapping[str, Rule] = {
    "kernel": _EXTENT,
    "stride": _EXTENT,
    "padding": _extent(0, chain.SAME, chain.VALID),
    "dilation": rule.whole(1, "a dilation", most=MOST_PIXELS),
    "groups": _number("a number of groups", 1, chain.DEPTHWISE),
    "norm": rule.one_of_words("norm", *NORMS),
    "activation": rule.one_of_words("activation", *ACTIVATIONS, chain.NONE),
    "bias": rule.true_or_false,
    "ceil": rule.true_or_false,
    "counts_padding": rule.true_or_false,
    "alpha": _POSITIVE,
    "beta": _POSITIVE,
    "k": _POSITIVE,
    "scale": _POSITIVE,
    "weights": rule.one_of_words("weights", "fast", "softmax", "free"),
}
KEYS: Mapping[str, Any] = {
    "bias": MayBeMissing(rule.true_or_false),
    "layers": _layers,
    "head": _layers,
}


def chain_across(network: Mapping[str, Any], alleles: Alleles) -> Iterator[Problem]:
    """Layer by layer, also in branches."""
    for key in ("layers", "head"):
        if isinstance(network.get(key), list):
            yield from _row_problems(network[key], (key,), alleles)
            layers = _layers_in(network[key], (key,), alleles)
            if layers > MOST_LAYERS:
                yield (key,), rule.too_many_layers(layers)


def surely_strided(value: Any, path: KeyPath, alleles: Alleles) -> int:
    """How many layers in a row make maps smaller, whatever the genes choose."""
    if isinstance(value, list):
        return sum(surely_strided(each, (*path, i), alleles) for i, each in enumerate(value))
    if not isinstance(value, dict):
        return 0
    if chain.TIMES in value:
        times = alleles((*path, chain.TIMES), value[chain.TIMES])
        inner = surely_strided(value.get(chain.REPEATED), (*path, chain.REPEATED), alleles)
        return inner * min((n for n in times if type(n) is int), default=0)
    word = next((word for word in chain.DEFAULTS if word in value), "")
    if word in chain.BRANCHED:
        rows = value[word] if isinstance(value[word], list) else []
        return surely_strided(rows[:1], (*path, word), alleles)
    key = _key_of_stride(value, word)
    strides = alleles((*path, key), value.get(key, 1))
    return int(all(_is_extent(each) and max(chain.sides(each)) > 1 for each in strides))


def _key_of_stride(layer: dict[str, Any], word: str) -> str:
    """Pools move by their window unless they say otherwise."""
    if "stride" in layer or word not in chain.POOLS:
        return word if word == "space_to_depth" else "stride"
    return "kernel" if "kernel" in layer else word


def _is_extent(value: Any) -> bool:
    sides = value if isinstance(value, list) else [value]
    return bool(sides) and all(type(side) is int for side in sides)


def words_at(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    """The words of all layers in here, each with where its layer stands."""
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from words_at(each, (*path, index))
    elif isinstance(value, dict):
        yield from ((path, word) for word in chain.DEFAULTS if word in value)
        for key in (chain.REPEATED, *chain.BRANCHED):
            yield from words_at(value.get(key), (*path, key))


def _layers_in(value: Any, path: KeyPath, alleles: Alleles) -> int:
    """How many layers a row or a layer is, with branches and repetitions."""
    if isinstance(value, list):
        rows = (_layers_in(each, (*path, index), alleles) for index, each in enumerate(value))
        return sum(rows)
    if not isinstance(value, dict):
        return 0
    inside = (key for key in (chain.REPEATED, *chain.BRANCHED) if key in value)
    layers = 1 + sum(_layers_in(value[key], (*path, key), alleles) for key in inside)
    counts = alleles((*path, chain.TIMES), value.get(chain.TIMES, 1))
    return layers * max((count for count in counts if type(count) is int), default=1)


def _row_problems(row: Any, path: KeyPath, alleles: Alleles) -> Iterator[Problem]:
    if not isinstance(row, list):
        yield path, f"{row} is no list of layers."
        return
    for index, entry in enumerate(row):
        inner = (*path, index)
        if isinstance(entry, list):
            yield from _row_problems(entry, inner, alleles)
        elif not isinstance(entry, dict):
            yield inner, f"{entry} is no layer. Write one as in {{conv: 64, kernel: 3}}."
        elif chain.TIMES in entry:
            known = {
                chain.TIMES: rule.whole(1, "a number of repetitions", most=MOST_LAYERS),
                chain.REPEATED: _layers,
            }
            yield from _key_problems(entry, known, inner, alleles, needed=(chain.REPEATED,))
            yield from _row_problems(
                entry.get(chain.REPEATED, []), (*inner, chain.REPEATED), alleles
            )
        else:
            yield from _layer_problems(entry, inner, alleles)


def _layer_problems(layer: dict[str, Any], path: KeyPath, alleles: Alleles) -> Iterator[Problem]:
    word = next((word for word in chain.DEFAULTS if word in layer), None)
    if word is None:
        yield path, unknown_name(chain.DEFAULTS, str(next(iter(layer), "")), "layer")
        return
    needed = chain.NEEDED.get(word, ())
    keys = (*chain.DEFAULTS[word], *needed)
    known = {word: WORD_VALUES[word], **{key: LAYER_KEYS[key] for key in keys}}
    yield from _key_problems(layer, known, path, alleles, needed)
    yield from _even_problems(layer, word, path, alleles)
    if word in chain.BRANCHED and isinstance(layer[word], list):
        for index, row in enumerate(layer[word]):
            yield from _row_problems(row, (*path, word, index), alleles)


def _key_problems(
    given: dict[str, Any],
    known: Mapping[str, Rule],
    path: KeyPath,
    alleles: Alleles,
    needed: Iterable[str] = (),
) -> Iterator[Problem]:
    for key in given.keys() - known.keys():
        hint = did_you_mean(known, str(key))
        yield (*path, key), f'there is no key "{key}" here. {hint}Known: {", ".join(known)}.'
    for key in needed:
        if key not in given:
            yield path, f"the key {key} is missing."
    for key, wrong in known.items():
        if key in given:
            found = (wrong(allele) for allele in alleles((*path, key), given[key]))
            yield from (((*path, key), problem) for problem in found if problem)


def _even_problems(
    layer: dict[str, Any], word: str, path: KeyPath, alleles: Alleles
) -> Iterator[Problem]:
    """No map keeps its size under windows of even sides, but with an uneven padding of poolings."""
    if word not in ("conv", "avg_pool", "lp_pool"):
        return
    key = "kernel" if "kernel" in layer else word
    usual = chain.SAME if word == "conv" else chain.VALID
    if chain.SAME not in alleles((*path, "padding"), layer.get("padding", usual)):
        return
    for kernel in alleles((*path, key), layer.get(key)):
        if any(isinstance(side, int) and side % 2 == 0 for side in chain.sides(kernel)):
            yield (
                (*path, key),
                f"{kernel} has an even side, and padding {chain.SAME} needs odd ones. Write the "
                f"padding in pixels, or {chain.VALID}.",
            )
