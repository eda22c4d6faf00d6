"""Kinds of genes: one open choice each, a number to evolution and an allele to people."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

Allele = str | int | float | bool | None
KeyPath = tuple[str | int, ...]
When = tuple[tuple[str, tuple[Allele, ...]], ...]  # (other gene's name, alleles that activate)

LARGEST_INT = 2**53 - 1  # chromosomes are floats, which hold whole numbers exactly up to here
LARGEST_REAL = 1e300  # so that no end, width or power of ten of a range is infinite
LISTED = 10_000  # alleles of which all are looked at; of more, some


@dataclass(frozen=True)
class Gene(ABC):
    """One open choice.

    `name` is the dotted place in the blueprint. `when` lists conditions that must all hold for
    the gene to be active; each names another gene and the alleles it has to have.
    """

    name: str
    key_path: KeyPath
    when: When

    @property
    @abstractmethod
    def size(self) -> float:
        """The number of alleles; infinite for ranges of real numbers."""

    @abstractmethod
    def allele(self, number: float) -> Allele:
        """The allele that any finite number stands for: nearest, clipped to the range."""

    @abstractmethod
    def number(self, allele: Allele) -> float:
        """The number of an allele.

        Raises:
            ValueError: The gene has no such allele.
        """

    @abstractmethod
    def sample(self, rng: np.random.Generator) -> float:
        """A number drawn uniformly (log genes: uniformly in the logarithm)."""

    @abstractmethod
    def pygad_space(self) -> range | dict[str, float]:
        """The numbers in PyGAD's words (its `gene_space`), as many as there are: never listed."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Kind and range as plain values, for people and JSON."""

    @property
    def extremes(self) -> list[Allele]:
        """What a check has to look at: all alleles of a finite gene, else the two ends.

        Of more than `LISTED` the first two and the last two: an even and an odd one of each end.
        """
        numbers: Sequence[float] | dict[str, float] = self.pygad_space()
        if isinstance(numbers, dict):
            numbers = (-math.inf, math.inf)
        elif len(numbers) > LISTED:
            numbers = (*numbers[:2], *numbers[-2:])
        return [self.allele(float(number)) for number in numbers]

    @property
    def default_number(self) -> float:
        """What an inactive gene has in a canonical chromosome."""
        return self.number(self.allele(-math.inf))


@dataclass(frozen=True)
class Choice(Gene):
    """One of several alleles; its number is the index."""

    alleles: tuple[Allele, ...]

    @property
    def size(self) -> float:
        return len(self.alleles)

    def allele(self, number: float) -> Allele:
        try:
            return self._allele_at[number]
        except KeyError:
            return self.alleles[int(_clip(_nearest(number), 0, len(self.alleles) - 1))]

    @cached_property
    def _allele_at(self) -> dict[float, Allele]:
        """The numbers that canonical chromosomes have, at hand: a search asks for them often."""
        return dict(enumerate(self.alleles))

    def number(self, allele: Allele) -> float:
        for index, own in enumerate(self.alleles):
            if own == allele and type(own) is type(allele):
                return float(index)
        known = ", ".join(str(own) for own in self.alleles)
        raise ValueError(f"{allele} is not one of {known}")

    def sample(self, rng: np.random.Generator) -> float:
        return float(rng.integers(len(self.alleles)))

    def pygad_space(self) -> range:
        return range(len(self.alleles))

    def describe(self) -> dict[str, Any]:
        return {"kind": "choice", "alleles": list(self.alleles)}


@dataclass(frozen=True)
class Int(Gene):
    """A whole number from `low` to `high`, both included."""

    low: int
    high: int

    @property
    def size(self) -> float:
        return self.high - self.low + 1

    def allele(self, number: float) -> Allele:
        return int(_clip(_nearest(number), self.low, self.high))

    def number(self, allele: Allele) -> float:
        if isinstance(allele, bool) or not isinstance(allele, int):
            raise ValueError(f"{allele} is not a whole number")
        return float(_inside(allele, self.low, self.high))

    def sample(self, rng: np.random.Generator) -> float:
        return float(rng.integers(self.low, self.high + 1))

    def pygad_space(self) -> range:
        return range(self.low, self.high + 1)

    def describe(self) -> dict[str, Any]:
        return {"kind": "int", "low": self.low, "high": self.high}


@dataclass(frozen=True)
class Float(Gene):
    """A real number from `low` to `high`."""

    low: float
    high: float

    @property
    def size(self) -> float:
        return math.inf

    def allele(self, number: float) -> Allele:
        return float(_clip(number, self.low, self.high))

    def number(self, allele: Allele) -> float:
        return _inside(_real(allele), self.low, self.high)

    def sample(self, rng: np.random.Generator) -> float:
        numbers = self.pygad_space()
        return float(rng.uniform(numbers["low"], numbers["high"]))

    def pygad_space(self) -> dict[str, float]:
        return {"low": self.low, "high": self.high}

    def describe(self) -> dict[str, Any]:
        return {"kind": type(self).__name__.lower(), "low": self.low, "high": self.high}


class Log(Float):
    """A positive real number whose logarithm (base 10) is the gene's number."""

    def allele(self, number: float) -> Allele:
        exponent = _clip(number, math.log10(self.low), math.log10(self.high))
        # Twelve digits, so that an allele survives the way to its number and back.
        return super().allele(float(f"{10**exponent:.12g}"))

    def number(self, allele: Allele) -> float:
        return math.log10(super().number(allele))

    def pygad_space(self) -> dict[str, float]:
        return {"low": math.log10(self.low), "high": math.log10(self.high)}


def make_choice(alleles: Any) -> dict[str, Any]:
    """The fields of a Choice from the value in a space file.

    Raises:
        ValueError: With the reason in words that fit behind "choice: ".
    """
    if not isinstance(alleles, list) or not alleles:
        raise ValueError(f"{alleles!r} is not a list of alleles. Write for example choice: [3, 5]")
    for allele in alleles:
        if not isinstance(allele, str | int | float | None):
            raise ValueError(
                f"{allele!r} is not a plain value. Alleles are words, numbers, true or false"
            )
        if isinstance(allele, float) and not math.isfinite(allele):
            raise ValueError(f"{allele} is not finite")
    if len({(type(allele), allele) for allele in alleles}) < len(alleles):
        raise ValueError(f"{alleles} has an allele twice")
    return {"alleles": tuple(alleles)}


def make_int(ends: Any) -> dict[str, Any]:
    """The fields of an Int from `[low, high]` in a space file; raises as `make_choice` does."""
    low, high = _ends(ends)
    if low != int(low) or high != int(high):
        raise ValueError(f"{ends} are not whole numbers")
    if max(abs(low), abs(high)) > LARGEST_INT:
        raise ValueError(
            f"{ends} reaches beyond {LARGEST_INT}, the largest whole number that a gene holds "
            "exactly. Write a smaller range, or one of float or log"
        )
    return {"low": int(low), "high": int(high)}


def make_float(ends: Any) -> dict[str, Any]:
    """The fields of a Float from `[low, high]` in a space file; raises as `make_choice` does."""
    low, high = _ends(ends)
    return {"low": low, "high": high}


def make_log(ends: Any) -> dict[str, Any]:
    """The fields of a Log from `[low, high]` in a space file; raises as `make_choice` does."""
    low, high = _ends(ends)
    if low <= 0:
        raise ValueError(f"{ends} has no logarithm. Write a low end above 0")
    if low < 1 / LARGEST_REAL:
        raise ValueError(
            f"{ends} begins below {1 / LARGEST_REAL:g}, the smallest end of a log range"
        )
    return {"low": low, "high": high}


GENE_KINDS: Mapping[str, tuple[type[Gene], Any]] = {
    "choice": (Choice, make_choice),
    "int": (Int, make_int),
    "float": (Float, make_float),
    "log": (Log, make_log),
}


def is_gene(value: Any) -> bool:
    """True for a mapping that names a kind of gene, as genes are written in space files."""
    return isinstance(value, dict) and any(kind in value for kind in GENE_KINDS)


def is_one_of(allele: Any, alleles: Iterable[Allele]) -> bool:
    """True if the allele is there; 1, 1.0 and true are three, though Python calls them equal."""
    return any(type(own) is type(allele) and own == allele for own in alleles)


def dotted(key_path: KeyPath) -> str:
    """A place in a space as genes are called after it: `network.stages.0.kernel`."""
    return ".".join(str(key) for key in key_path) or "the file"


def _ends(ends: Any) -> tuple[float, float]:
    if not isinstance(ends, list) or len(ends) != 2:
        raise ValueError(f"{ends!r} is not a range. Write [low, high]")
    try:
        low, high = (_real(end) for end in ends)
    except ValueError:
        raise ValueError(f"{ends} are not two numbers. Write [low, high]") from None
    if not low < high:
        raise ValueError(f"{ends} is empty: the low end must be below the high end")
    if max(abs(low), abs(high)) > LARGEST_REAL:
        raise ValueError(f"{ends} reaches beyond {LARGEST_REAL:g}, the largest number of a range")
    return low, high


def _real(value: Any) -> float:
    if isinstance(value, bool) or value is None:
        raise ValueError(f"{value} is not a number")
    try:
        number = float(value)  # also "1e-4", which YAML reads as a word
    except (TypeError, ValueError):
        raise ValueError(f"{value} is not a number") from None
    if not math.isfinite(number):
        raise ValueError(f"{value} is not finite")
    return number


def _inside(value: float, low: float, high: float) -> float:
    if not low <= value <= high:
        raise ValueError(f"{value} is not between {low} and {high}")
    return value


def _clip(number: float, low: float, high: float) -> float:
    return min(max(number, low), high)


def _nearest(number: float) -> float:
    if math.isinf(number):
        return number
    whole = math.floor(number)
    return whole + (number - whole >= 0.5)  # exact up to the largest
