"""Every setting of a run, its default and its meaning."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from evonas.settings.compression import CompressionSettings
from evonas.settings.fields import (
    Count,
    DataPath,
    DesignNames,
    Factor,
    Few,
    Group,
    Limits,
    Names,
    NotPositive,
    OutputPath,
    Positive,
    Probability,
    Seconds,
    Seed,
    Share,
    Side,
    SpaceWord,
    split_commas,
    whole_number,
)
from evonas.settings.training import TrainingSettings
from evonas.settings.tuning import TuneSettings


class SyntheticSettings(Group):
    """The images that `data=synthetic` makes up, the same ones for the same `seed`.

    `images` counts those of all parts together; `resolution_px` is their own side, before they
    are resized for a network.
    """

    images: Annotated[int, Field(ge=1, le=10**7)] = 2000
    classes: Annotated[int, Field(ge=2, le=10**5)] = 10
    channels: Annotated[Literal[1, 3], BeforeValidator(whole_number)] = 3
    resolution_px: Annotated[int, Field(ge=4, le=1024)] = 32
    seed: Seed = 0


class ShapesSettings(Group):
    """The pictures that `data=shapes` draws, the same ones for the same `seed`.

    `images` counts those of all parts together, `classes` the shapes that are drawn. A share
    `empty` of the pictures has no shape, others have up to `most`. `resolution_px` is their own
    side, before they are resized for a network.
    """

    images: Annotated[int, Field(ge=1, le=10**6)] = 600
    classes: Annotated[int, Field(ge=1, le=8)] = 3
    most: Annotated[int, Field(ge=1, le=100)] = 5
    empty: Annotated[float, Field(ge=0, le=0.9)] = 0.1
    resolution_px: Annotated[int, Field(ge=32, le=1024)] = 128
    seed: Seed = 0


class DataSettings(Group):
    """Which images; `path` for sets that lie in a folder or a file.

    `format` is how a folder of `data=detection` is labelled, if more than one fits. Damaged images
    of a folder, and those whose labels cannot be read, are an error, or with `skip_damaged` left
    out. With `class_weights=balanced` all classes count the same in the training loss, however
    many images they have.
    """

    name: str = "digits"
    path: DataPath | None = None
    format: Literal["auto", "yolo", "coco", "voc"] = "auto"
    validation_share: Share = 0.4
    subset: Count | None = None
    skip_damaged: bool = False
    class_weights: Literal["none", "balanced"] = "none"
    synthetic: SyntheticSettings = SyntheticSettings()
    shapes: ShapesSettings = ShapesSettings()


LONGEST_NAME = 100
_FILE_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9_-])?")


def _file_name(name: str) -> str:
    """The name, if every file system takes it for a folder and no shell for anything else."""
    if len(name) > LONGEST_NAME:
        raise ValueError(f"a name has at most {LONGEST_NAME} characters, this one {len(name)}")
    if _FILE_NAME.fullmatch(name) is None:
        raise ValueError(
            "a name has letters, digits, dots, underscores and hyphens, begins with a letter or "
            "digit and does not end in a dot, as in run.name=first-try"
        )
    return name


class RunSettings(Group):
    """Name, place and randomness of a run."""

    name: Annotated[str, AfterValidator(_file_name)] | None = None
    folder: OutputPath = Path("runs")
    seed: Seed = 0
    deterministic: bool = False


class MeasureSettings(Group):
    """The scale of latency, counts and constraints."""

    scale: Literal["full", "proxy"] = "full"


class FullSettings(Group):
    """What is deployed: `epochs` and `translate` override the training recipe, the rest the space.

    `filters`, `repeats` and what follows them are of networks of cells (see `Scale`). `phi` is
    EfficientNet's compound coefficient, on top of what the others say. A retraining is long enough
    to profit from moved images; a search's short training is not.
    """

    resolution_px: Side | None = None
    width: Factor | None = None
    filters: Annotated[int, Field(ge=1, le=2**14)] | None = None
    repeats: Few | None = None
    stem: Literal["cifar", "imagenet"] | None = None
    stem_channels: Annotated[int, Field(ge=0, le=2**14)] | None = None
    far_input: bool | None = None
    phi: Annotated[float, Field(ge=-20, le=20)] = 0.0
    epochs: Annotated[int, Field(ge=1, le=10**6)] = 30
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
    block is inherited whole. Of `siblings`, the share of the pools whose children differ from their
    parents in what is made of the trained network alone, a training serves several: in spaces with
    such genes. `nsga3_divisions` of each objective's axis make the reference
    points, not set: as many as the population can serve. `start` names the first
    designs: published networks, `run:NAME` for the front of another run, and model folders.
    `sample` is of `aging` alone: how many it draws for a tournament.
    """

    name: str = "pygad"
    surrogate: bool = True
    pool: Annotated[int, Field(ge=1, le=10**5)] = 100
    initial: Count = 8
    engine: Literal["steady", "pygad_run"] = "steady"
    population: Annotated[int, Field(ge=4, le=10**5)] = 20
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
    tournament: Annotated[int, Field(ge=1, le=10**5)] = 3
    nsga3_divisions: Few | None = None
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
    siblings: Probability = 0.5
    start: DesignNames = ()


class BudgetSettings(Group):
    """When the search ends: whatever is reached first.

    `stagnation` is a number of evaluations that have not enlarged the front's hypervolume (of
    one objective: not improved the best).
    """

    evaluations: Count = 64
    seconds: Seconds | None = None
    stagnation: Count | None = None
    target: dict[str, Limits] = Field(default_factory=dict)


class ConfirmSettings(Group):
    """The last part of a search: its `top` designs are trained again, from `seeds` fresh seeds.

    Within the budget, which the search leaves so much of; 0 for no such part. Winners are chosen by
    the means of these trainings, `epochs` of which are not set: as long as in the search.
    """

    top: Annotated[int, Field(ge=0, le=1000)] = 0
    seeds: Annotated[int, Field(ge=1, le=100)] = 2
    epochs: Annotated[int, Field(ge=1, le=10**6)] | None = None


class LatencySettings(Group):
    """How latency is measured.

    `resolution_px` not set: that of the scale that is measured. A measurement is repeated until
    its `spread` is below this, or for `limit_s`; with one thread these are seconds of the
    processor, and loading the network counts. With `predictor` a design is not even built if
    those measured before foretell that it is far beyond `constraints.latency_ms.max`.
    """

    runtime: Literal[
        "onnxruntime", "torch", "torch-inductor", "cuda", "onnxruntime-cuda", "tensorrt"
    ] = "onnxruntime"
    precision: Literal["fp32", "fp16", "bf16"] = "fp32"
    batch: Annotated[int, Field(ge=1, le=2**16)] = 1
    threads: Annotated[int, Field(ge=1, le=1024)] = 1
    resolution_px: Side | None = None
    spread: Positive = 0.02
    limit_s: Seconds = 0.8
    predictor: bool = False


class RewardSettings(Group):
    """The measure `mnasnet_reward`, accuracy x (latency_ms / target_ms) ^ w; it needs `target_ms`.

    w is `alpha` up to the target and `beta` beyond it. The defaults are the paper's soft
    constraint: twice the latency is worth 5 % more accuracy. 0 and -1 are its hard one.
    """

    target_ms: Positive | None = None
    alpha: NotPositive = -0.07
    beta: NotPositive = -0.07


class FidelitySettings(Group):
    """Cheap trainings first: only designs that do well go on to the next of the `rungs`.

    A rung is a number of epochs, as in 1,3,9; with `of` set it is a share of the images or of
    the resolution, in percent, and each rung trains for `training.epochs`. One design in
    `reduction` is promoted. A promotion goes on from the weights of the rung below; with `whole`,
    the last rung of epochs is one training that begins anew instead, the same as without rungs.
    """

    rungs: Annotated[tuple[Count, ...], BeforeValidator(split_commas)] = ()
    of: Literal["epochs", "data", "resolution"] = "epochs"
    reduction: Annotated[float, Field(gt=1)] = 4.0
    whole: bool = False


class FilterSettings(Group):
    """Which designs are not worth a training, by a score of the untrained network.

    Of the designs proposed lately those in the worst `share` by `proxy` are not trained. One in
    `trust` of these is, so that the score's rank correlation with what trainings give is known;
    below `correlation` the filter is off.
    """

    proxy: str | None = None
    share: Share = 0.5
    trust: Count = 10
    correlation: Share = 0.2


class ExecutorSettings(Group):
    """Where trials run. `workers` not set: as many as there are cores.

    `gpus_per_trial`: the share of a GPU that a trial gets; `auto`: by the memory that trials were
    seen to take, the first ones a whole GPU. `charge_proposals`: of a virtual executor, real time
    between trials passes on its clock too.
    """

    name: str = "ray"
    workers: Annotated[int, Field(ge=1, le=4096)] | None = None
    cpus_per_trial: Annotated[float, Field(gt=0, le=4096)] = 1.0
    gpus_per_trial: Annotated[float, Field(ge=0, le=1024)] | Literal["auto"] = 0.0
    address: str = "local"
    timeout_s: Seconds = 600.0
    retries: Annotated[int, Field(ge=0, le=1000)] = 2
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
    duration_mean_s: Seconds | None = None
    duration_cv: Annotated[float, Field(ge=0, le=100)] = 1.0

    @property
    def trains(self) -> bool:
        """True if designs are networks that are trained and measured by evonas."""
        return self.name == "train"


class Settings(Group):
    """All settings of one run."""

    space: SpaceWord = "mobile_cells"
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
    confirm: ConfirmSettings = ConfirmSettings()
    training: TrainingSettings = TrainingSettings()
    compression: CompressionSettings = CompressionSettings()
    latency: LatencySettings = LatencySettings()
    fidelity: FidelitySettings = FidelitySettings()
    filter: FilterSettings = FilterSettings()
    reward: RewardSettings = RewardSettings()
    executor: ExecutorSettings = ExecutorSettings()
    evaluator: EvaluatorSettings = EvaluatorSettings()
    tune: TuneSettings = TuneSettings()
    display: Literal["auto", "plain", "none"] = "auto"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for YAML and JSON."""
        return self.model_dump(mode="json")


# What may change on resume, groups as a whole: where and how long, never what is searched.
CHANGEABLE_ON_RESUME = ("budget", "confirm", "executor", "display", "data.path")
