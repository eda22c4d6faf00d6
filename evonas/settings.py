"""Every setting of a run, its default and its meaning; words and files that set them.

A word is `KEY=VALUE`. Defaults give way to `config=FILE.yaml`, and that to words. `group=name`
is short for `group.name=name` (`data=folder`). Only shapes and types are checked here; names
are looked up by those who own the tables.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from evonas.errors import SettingsError
from evonas.registry import did_you_mean
from evonas.yaml_file import read_yaml

Share = Annotated[float, Field(gt=0, lt=1)]
Probability = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
NotPositive = Annotated[float, Field(le=0)]


def _split_commas(value: Any) -> Any:
    return [item.strip() for item in value.split(",")] if isinstance(value, str) else value


def _expand_home(value: Any) -> Any:
    return os.path.expanduser(value) if isinstance(value, str) else value


def _whole_number(value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.isdecimal() else value


Names = Annotated[tuple[str, ...], BeforeValidator(_split_commas)]


def _absolute(value: Any) -> Any:
    return os.path.abspath(os.path.expanduser(value)) if isinstance(value, str) else value


# Data stay where they are when a run is resumed, or a model retrained, from another folder.
DataPath = Annotated[Path, BeforeValidator(_absolute)]
FilePath = Annotated[Path, BeforeValidator(_expand_home)]


class Group(BaseModel):
    """Settings that share a prefix."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Limits(Group):
    """Smallest and largest value allowed for a measure."""

    min: float | None = None
    max: float | None = None


class SyntheticSettings(Group):
    """The images that `data=synthetic` makes up, the same ones for the same `seed`.

    `images` counts those of all parts together; `resolution_px` is their own side, before they
    are resized for a network.
    """

    images: Count = 2000
    classes: Annotated[int, Field(ge=2)] = 10
    channels: Annotated[Literal[1, 3], BeforeValidator(_whole_number)] = 3
    resolution_px: Annotated[int, Field(ge=4)] = 32
    seed: Annotated[int, Field(ge=0)] = 0


class DataSettings(Group):
    """Which images; `path` for sets that lie in a folder or a file."""

    name: str = "digits"
    path: DataPath | None = None
    validation_share: Share = 0.4
    subset: Count | None = None
    synthetic: SyntheticSettings = SyntheticSettings()


class RunSettings(Group):
    """Name, place and randomness of a run."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")] | None = None
    folder: FilePath = Path("runs")
    seed: Annotated[int, Field(ge=0)] = 0
    deterministic: bool = False


class MeasureSettings(Group):
    """The scale of latency, counts and constraints."""

    scale: Literal["full", "proxy"] = "full"


class FullSettings(Group):
    """What is deployed: the first five override the space, the rest the training recipe.

    `phi` is EfficientNet's compound coefficient, on top of what the others say. A retraining is
    long enough to profit from moved images; a search's short training is not.
    """

    resolution_px: Count | None = None
    width: Positive | None = None
    filters: Count | None = None
    repeats: Count | None = None
    phi: float = 0.0
    epochs: Count = 30
    translate: Annotated[float, Field(ge=0, lt=1)] = 0.1


class EvolverSettings(Group):
    """How designs are proposed; operator names and their meaning are PyGAD's.

    With `surrogate` a model of the run picks each design out of `pool` children, after `initial`
    ones that are spread over the space. `engine` is `steady` (a child at a time, bred from the
    best of the whole history) or `pygad_run` (the generations of `pygad.GA.run()`; for it alone
    are `keep_elitism`, how many of the best stay in each, and `keep_parents`, how many parents do
    without elitism, -1 for all).
    `selection` is `tournament_nsga3` for more than three objectives, if none is named.
    `tournament` is the number of individuals that compete. `crossover_probability` is the share
    of parents that mate, none for all. `mutation_genes` change in a child, or with
    `mutation_probability` each gene so likely; `adaptive` changes `mutation_genes_bad` where
    the parents are bad. `mutation_by_replacement` draws a number anew, else a real number moves
    from where it is by up to a tenth of its range. With `block_crossover` a stage or
    block is inherited whole. `nsga3_divisions` of each objective's axis make the reference
    points, not set: as many as the population can serve. `start` names published networks that
    are the first designs. `sample` is of `aging` alone: how many it draws for a tournament.
    """

    name: str = "pygad"
    surrogate: bool = True
    pool: Count = 100
    initial: Count = 8
    engine: Literal["steady", "pygad_run"] = "steady"
    population: Annotated[int, Field(ge=4)] = 20
    selection: Literal[
        "tournament_nsga2",
        "nsga2",
        "tournament_nsga3",
        "nsga3",
        "tournament",
        "rank",
        "random",
        "sss",
        "rws",
        "sus",
    ] = "tournament_nsga2"
    tournament: Count = 3
    nsga3_divisions: Count | None = None
    crossover: Literal["uniform", "single_point", "two_points", "scattered", "sbx", "none"] = (
        "uniform"
    )
    crossover_probability: Probability | None = None
    block_crossover: bool = False
    mutation: Literal[
        "random", "swap", "inversion", "scramble", "polynomial", "adaptive", "none"
    ] = "random"
    mutation_genes: Count = 2
    mutation_genes_bad: Count = 4
    mutation_probability: Probability | None = None
    mutation_by_replacement: bool = True
    sample: Count = 5
    keep_elitism: Annotated[int, Field(ge=0)] = 1
    keep_parents: Annotated[int, Field(ge=-1)] = -1
    start: Names = ()


class BudgetSettings(Group):
    """When the search ends: whatever is reached first.

    `stagnation` is a number of evaluations that have not enlarged the front's hypervolume (of
    one objective: not improved the best).
    """

    evaluations: Count = 64
    seconds: Positive | None = None
    stagnation: Count | None = None
    target: dict[str, Limits] = Field(default_factory=dict)


class TrainingSettings(Group):
    """The training recipe, of a search's short trainings and of a retraining alike."""

    epochs: Count = 3
    batch_size: Count = 32
    lr0: Positive = 0.1
    lrf: NotNegative = 0.01
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.8
    weight_decay: NotNegative = 5e-4
    schedule: Literal["one_cycle", "cosine"] = "one_cycle"
    warmup_share: Annotated[float, Field(ge=0, lt=1)] = 0.4
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1
    translate: Annotated[float, Field(ge=0, lt=1)] = 0.0
    fliplr: Annotated[float, Field(ge=0, le=1)] = 0.0


class LatencySettings(Group):
    """How latency is measured."""

    runtime: Literal["onnxruntime"] = "onnxruntime"
    batch: Count = 1
    threads: Count = 1
    spread: Positive = 0.02
    limit_s: Positive = 0.5


class RewardSettings(Group):
    """The measure `mnasnet_reward`, accuracy x (latency_ms / target_ms) ^ w; it needs `target_ms`.

    w is `alpha` up to the target and `beta` beyond it. The defaults are the paper's soft
    constraint: twice the latency is worth 5 % more accuracy. 0 and -1 are its hard one.
    """

    target_ms: Positive | None = None
    alpha: NotPositive = -0.07
    beta: NotPositive = -0.07


class ExecutorSettings(Group):
    """Where trials run. `workers` not set: as many as there are cores.

    `charge_proposals`: of a virtual executor, real time between trials passes on its clock too.
    """

    name: str = "ray"
    workers: Count | None = None
    cpus_per_trial: Positive = 1.0
    gpus_per_trial: NotNegative = 0.0
    address: str = "local"
    timeout_s: Positive = 600.0
    retries: Annotated[int, Field(ge=0)] = 2
    charge_proposals: bool = True


class EvaluatorSettings(Group):
    """What an evaluation is.

    Of a table: its `path`, the columns that a measure is drawn from (`observed`) and that of
    simulated seconds (`duration`), which a mean and a coefficient of variation can stand for.
    """

    name: str = "train"
    function: str | None = None
    path: DataPath | None = None
    observed: dict[str, Annotated[Names, Field(min_length=1)]] = Field(default_factory=dict)
    duration: str | None = None
    duration_mean_s: Positive | None = None
    duration_cv: NotNegative = 1.0


class Settings(Group):
    """All settings of one run."""

    space: str = "mobile_cells"
    data: DataSettings = DataSettings()
    run: RunSettings = RunSettings()
    objectives: Annotated[Names, Field(min_length=1)] = ("accuracy", "latency_ms")
    constraints: dict[str, Limits] = Field(default_factory=dict)
    reference_point: dict[str, float] = Field(default_factory=dict)
    measure: MeasureSettings = MeasureSettings()
    full: FullSettings = FullSettings()
    evolver: EvolverSettings = EvolverSettings()
    schedule: Literal["async", "generational"] = "async"
    budget: BudgetSettings = BudgetSettings()
    training: TrainingSettings = TrainingSettings()
    latency: LatencySettings = LatencySettings()
    reward: RewardSettings = RewardSettings()
    executor: ExecutorSettings = ExecutorSettings()
    evaluator: EvaluatorSettings = EvaluatorSettings()
    display: Literal["auto", "plain", "none"] = "auto"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for YAML and JSON."""
        return self.model_dump(mode="json")


# Groups may also change on resume as a whole: where and how long, never what is searched.
CHANGEABLE_ON_RESUME = ("budget", "executor", "display")

Nested = dict[str, Any]


class Words:
    """Settings as they were written: nested plain values and where each came from."""

    def __init__(self, words: Iterable[str], defaults: Mapping[str, Any] | None = None) -> None:
        self.values: Nested = {}
        self.origins: dict[tuple[str, ...], str] = {}
        self.problems: list[str] = []
        if defaults:
            self._merge(defaults, (), lambda _: "")
        own = [self._split(word) for word in words]
        for key, value in own:
            if key == "config":
                self._read_file(Path(value).expanduser())
        for key, value in own:
            if key and key != "config":
                self._set(tuple(key.split(".")), value, f"{key}={value}")

    def _split(self, word: str) -> tuple[str, str]:
        key, equals, value = word.partition("=")
        if equals and key:
            return key, value
        self.problems.append(f'"{word}" is not a setting. Write KEY=VALUE, for example run.seed=7.')
        return "", ""

    def _read_file(self, path: Path) -> None:
        values, lines = read_yaml(path, SettingsError)
        if not isinstance(values, dict):
            raise SettingsError(f"{path.name} holds no settings. Write keys with values.")

        by_name = {tuple(str(key) for key in keys): line for keys, line in lines.items()}

        def origin(keys: tuple[str, ...]) -> str:
            return f"{path.name}, {'.'.join(keys)} (line {by_name[keys]})"

        self._merge(values, (), origin)

    def _merge(self, values: Mapping[str, Any], keys: tuple[str, ...], origin: Any) -> None:
        for key, value in values.items():
            path = (*keys, str(key))
            if isinstance(value, Mapping):
                self._merge(value, path, origin)
            else:
                self._set(path, value, origin(path))

    def _set(self, keys: tuple[str, ...], value: Any, origin: str) -> None:
        if len(keys) == 1 and _is_named_group(keys[0]):
            keys = (keys[0], "name")
        holder = self.values
        for key in keys[:-1]:
            inner = holder.setdefault(key, {})
            if not isinstance(inner, dict):
                self.problems.append(
                    f"{origin}: {key} has a value already and takes no keys below it."
                )
                return
            holder = inner
        if isinstance(holder.get(keys[-1]), dict):
            self.problems.append(
                f"{origin}: {keys[-1]} is a group. Name a key of it, as in {keys[-1]}.KEY=VALUE."
            )
            return
        holder[keys[-1]] = value
        self.origins[keys] = origin

    def settings(self) -> Settings:
        """The settings, defaults where a word is wrong; what is wrong joins `problems`."""
        values = self.values
        while True:
            try:
                return Settings.model_validate(values)
            except ValidationError as failure:
                for error in failure.errors():
                    keys = tuple(str(key) for key in error["loc"])
                    self.problems.append(self._explain(keys, error))
                    values = _without(values, keys)

    def _explain(self, keys: tuple[str, ...], error: Mapping[str, Any]) -> str:
        origin = next(
            (self.origins[keys[:n]] for n in range(len(keys), 0, -1) if keys[:n] in self.origins),
            next(
                (o for path, o in self.origins.items() if path[: len(keys)] == keys), ".".join(keys)
            ),
        ) or ".".join(keys)
        if error["type"] == "extra_forbidden":
            return f"{origin}: {_unknown_key(keys)}"
        message = str(error["msg"]).removeprefix("Value error, ")
        got = error.get("input")
        shown = "" if isinstance(got, dict) else f", got {got!r}"
        return f"{origin}: {message[0].lower()}{message[1:]}{shown}."


def validate(group: type[Group], values: Mapping[str, Any], where: str) -> Any:
    """`values` as a settings group; for files that hold only one.

    Raises:
        SettingsError: With all problems, each behind `where`.
    """
    try:
        return group.model_validate(values)
    except ValidationError as failure:
        problems = []
        for error in failure.errors():
            key = ".".join(str(part) for part in error["loc"])
            hint = did_you_mean(group.model_fields, key)
            if error["type"] == "extra_forbidden":
                known = ", ".join(sorted(group.model_fields))
                problems.append(f'{where}: there is no key "{key}". {hint}Known: {known}.')
            else:
                text = str(error["msg"])
                got = f"{key}: {text[0].lower()}{text[1:]}, got {error.get('input')!r}"
                problems.append(f"{where}, {got}.")
        raise SettingsError(problems) from None


def _unknown_key(keys: tuple[str, ...]) -> str:
    known = _keys_of(keys[:-1])
    hint = did_you_mean(known, keys[-1])
    if not hint:
        # The key of a group, written without its group.
        homes = [f"{g}.{keys[-1]}" for g in Settings.model_fields if keys[-1] in _keys_of((g,))]
        hint = f'Did you mean "{homes[0]}"? ' if homes else ""
    owner = ".".join(keys[:-1]) or "a run"
    return f'{owner} has no key "{keys[-1]}". {hint}Known: {", ".join(sorted(known))}.'


def _keys_of(keys: tuple[str, ...]) -> list[str]:
    group: Any = Settings
    for key in keys:
        field = group.model_fields.get(key)
        annotation = field.annotation if field else None
        inner = [a for a in get_args(annotation) if isinstance(a, type) and issubclass(a, Group)]
        if inner:  # dict[str, Limits]: any measure, then min or max
            return list(inner[0].model_fields)
        if not (isinstance(annotation, type) and issubclass(annotation, Group)):
            return []
        group = annotation
    return list(group.model_fields)


def _is_named_group(key: str) -> bool:
    return key != "run" and "name" in _keys_of((key,))


def _without(values: Nested, keys: tuple[str, ...]) -> Nested:
    """`values` less the value at `keys`, or less the nearest thing above that is there."""
    if len(keys) == 1 or not isinstance(values.get(keys[0]), dict):
        return {key: value for key, value in values.items() if key != keys[0]}
    return {**values, keys[0]: _without(values[keys[0]], keys[1:])}
