"""One design under evaluation, what came of it, and the record of all of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal, overload

from evonas.blueprint import Blueprint

Chromosome = tuple[float, ...]
Status = Literal["complete", "failed", "infeasible", "filtered", "pruned"]


@dataclass(frozen=True)
class Trial:
    """One evaluation of one design.

    `seed` depends on the run's seed and the number alone, so results do not depend on the
    worker. `rung` is how long it is trained, 0 the shortest; a promotion `continues` the trial of
    the same design one rung below, and has its seed. A trial that `confirms` another one trains its
    design again, from a seed of its own number.
    """

    number: int
    chromosome: Chromosome
    blueprint: Blueprint
    seed: int
    parents: tuple[int, ...] = ()
    operator: str = "random"
    rung: int = 0
    continues: int | None = None
    confirms: int | None = None


@dataclass(frozen=True)
class KeptWeights:
    """A finished trial from whose weights another training begins or learns, if they were kept.

    They are taken only if they are those of the checksum, where that was noted.
    """

    number: int
    design: Blueprint
    weights_sha256: str | None = None


@dataclass(frozen=True)
class SharedTraining:
    """A finished training that is a trial's own too: only what is made of the network differs.

    It was that of the trial `first` and had its `seed`; with that it is done again where the
    weights that the trial `number` left, of this checksum, are gone. `curve` and `seconds` are
    the training's.
    """

    first: int
    seed: int
    number: int
    weights_sha256: str | None
    curve: tuple[float, ...]
    seconds: float


@dataclass(frozen=True)
class Assignment:
    """A trial as a worker gets it, with what the driver knows about it.

    `known` holds measures that need not be taken again (counted beforehand, or of an equal
    trial); `source` is the trial that they were taken from. `training`: an equal training, of
    which the trial makes something else. `bfloat16` is what `training.amp=auto` means for it.
    `teacher`: the trial that teaches, where the best of the run does.
    """

    trial: Trial
    known: Mapping[str, float] = field(default_factory=dict)
    source: int | None = None
    beginning: KeptWeights | None = None
    bfloat16: bool = False
    training: SharedTraining | None = None
    teacher: KeptWeights | None = None

    @property
    def number(self) -> int:
        """The trial's number."""
        return self.trial.number

    @property
    def training_seed(self) -> int:
        """The seed of its training."""
        return self.trial.seed if self.training is None else self.training.seed


@dataclass(frozen=True)
class Notes:
    """What an outcome tells later steps of the search beside its measures.

    `foretold` are measures that were predicted and not taken. `weights_sha256` is the checksum of
    the weights that it left, `damaged_weights` the trial whose weights it should have begun with or
    learnt from. `gpu_memory_share` is the most that it took of the memory of its GPU. `training_of`
    is the first trial that had this training, if that is another one.
    """

    foretold: Mapping[str, float] = field(default_factory=dict)
    weights_sha256: str | None = None
    damaged_weights: int | None = None
    gpu_memory_share: float | None = None
    training_of: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values of what is noted."""
        return {name: value for name, value in vars(self).items() if value not in (None, {})}


@dataclass(frozen=True)
class Outcome:
    """What came of one trial.

    It is `complete` if its design was measured at the top rung, `pruned` if at one below, and
    `filtered` if it was not trained because a score of the untrained network was bad.
    `measures` is empty unless something was measured. `seconds` is wall-clock time in the
    worker, `busy_seconds` the same without waiting for the latency clock. A failed outcome
    has `error_kind` (see `errors.FAILURE_KINDS`) and `error_text`. `details` are for readers:
    nothing depends on them.
    """

    number: int
    status: Status
    measures: Mapping[str, float] = field(default_factory=dict)
    curve: tuple[float, ...] = ()
    seconds: float = 0.0
    busy_seconds: float = 0.0
    error_kind: str | None = None
    error_text: str | None = None
    notes: Notes = field(default_factory=Notes)
    details: Mapping[str, Any] = field(default_factory=dict)
    source: int | None = None
    attempts: int = 1

    @property
    def is_free(self) -> bool:
        """True if no training was spent on it: a design that cannot be built fails beforehand."""
        is_unbuilt = self.error_kind == "build_error" and self.seconds == 0
        return self.status in ("infeasible", "filtered") or self.source is not None or is_unbuilt


@dataclass(frozen=True)
class Finished:
    """A finished trial as an evolver sees it.

    Larger fitness is better; None for a trial that failed or breaks a constraint. `excess` says
    by how much it does, see `evaluation.excess`; None if that is unknown. `rung` and `continues`
    are those of the trial.
    """

    number: int
    chromosome: Chromosome
    fitness: tuple[float, ...] | None
    excess: float | None = None
    rung: int = 0
    continues: int | None = None


class Prefix(Sequence[Finished]):
    """The first `length` entries of a list that others go on appending to.

    So a history costs nothing to make, however long it is. Who has seen an earlier prefix of the
    same `items` (the object, not its contents) need only look at what came after it.
    """

    __slots__ = ("items", "length")

    def __init__(self, items: list[Finished], length: int | None = None) -> None:
        self.items = items
        self.length = len(items) if length is None else length

    def __len__(self) -> int:
        return self.length

    @overload
    def __getitem__(self, index: int) -> Finished: ...
    @overload
    def __getitem__(self, index: slice) -> list[Finished]: ...
    def __getitem__(self, index: int | slice) -> Finished | list[Finished]:
        if isinstance(index, slice):
            start, stop, step = index.indices(self.length)
            return [self.items[place] for place in range(start, stop, step)]
        if not -self.length <= index < self.length:
            raise IndexError(f"there are {self.length} entries, none has the index {index}")
        return self.items[index % self.length]

    def __iter__(self) -> Iterator[Finished]:
        return islice(self.items, self.length)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Prefix | tuple | list):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    def __repr__(self) -> str:
        return f"Prefix({list(self)!r})"


@dataclass(frozen=True)
class History:
    """Finished trials in the order they finished, and the chromosomes still in flight."""

    finished: Sequence[Finished] = ()
    in_flight: Mapping[int, Chromosome] = field(default_factory=dict)
