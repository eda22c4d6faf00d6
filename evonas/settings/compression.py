"""What is done to a trained network, and to its training for that: a group for each step.

A step does nothing with `method=none`, its default.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from evonas.settings.fields import (
    Count,
    DataPath,
    Group,
    NotNegative,
    Probability,
    Share,
    split_commas,
    whole_number,
)

Part = Annotated[float, Field(gt=0, le=1)]
Finetuning = Annotated[float, Field(ge=0, le=10)]  # as a share of the training's epochs


NONE = "none"


class StepSettings(Group):
    """Settings of a step.

    `takes`: by method, the keys that change what it does. `only_with`: keys that do so beside one
    value of another alone. `acts_in_training`: it acts while the network is trained, and makes
    nothing of it afterwards.
    """

    acts_in_training: ClassVar[bool] = False
    takes: ClassVar[Mapping[str, tuple[str, ...]]]
    only_with: ClassVar[Mapping[str, tuple[str, str]]] = {}

    method: str = NONE

    @classmethod
    def is_idle(cls, key: str, values: Mapping[str, Any]) -> bool:
        """Whether the key does nothing beside these values, as far as they say."""
        if (
            key != "method"
            and "method" in values
            and key not in cls.takes.get(values["method"], ())
        ):
            return True
        other, value = cls.only_with.get(key, ("", ""))
        return bool(values.get(other, value) != value)


def _none(value: Any) -> Any:
    return None if value == NONE else value


Teacher = Annotated[Literal["best"] | DataPath | None, BeforeValidator(_none)]


class DistillationSettings(StepSettings):
    """Learning from a trained `teacher` as well as from the targets.

    `logits` learns what it gives, `features` its last maps too, with the weight `hint`. The loss is
    `alpha` times that of what the teacher gives at this `temperature`, and 1 - `alpha` times the
    plain one. `teacher` is a model folder, or `best`: the best design of the run so far. So the
    first designs of a run have none.
    """

    acts_in_training: ClassVar = True
    takes: ClassVar = {
        "logits": ("teacher", "temperature", "alpha"),
        "features": ("teacher", "temperature", "alpha", "hint"),
    }
    method: Literal["none", "logits", "features"] = "none"
    teacher: Teacher = "best"
    temperature: Annotated[float, Field(ge=1, le=100)] = 4.0
    alpha: Probability = 0.5
    hint: NotNegative = 1.0


class QuantNoiseSettings(StepSettings):
    """Weights that are quantised in part while they are trained: a `share` of blocks, drawn anew.

    `block`: the weights of a block.
    """

    acts_in_training: ClassVar = True
    takes: ClassVar = dict.fromkeys(("int8", "int4", "pq"), ("share", "block"))
    method: Literal["none", "int8", "int4", "pq"] = "none"
    share: Part = 0.5
    block: Annotated[int, Field(ge=1, le=1024)] = 4


class PruningSettings(StepSettings):
    """What leaves a trained network: channels, whole blocks (`depth`), or single `weights`.

    `ratio` is the share that goes; `ratios` are those of the stages, of which the last holds for
    further ones. What matters is told by `importance`. A fine-tuning of `epochs`, as a share of the
    training's, follows, in `rounds`.
    """

    takes: ClassVar = {
        "channels": ("ratio", "ratios", "importance", "rounds", "epochs"),
        "depth": ("ratio", "ratios", "importance", "rounds", "epochs"),
        "weights": ("ratio", "importance", "rounds", "epochs"),
    }
    method: Literal["none", "channels", "depth", "weights"] = "none"
    ratio: Share = 0.3
    ratios: Annotated[tuple[Share, ...], BeforeValidator(split_commas)] = ()
    importance: Literal["l2", "l1", "taylor"] = "l2"
    rounds: Annotated[int, Field(ge=1, le=100)] = 1
    epochs: Finetuning = 0.2


class QuantisationSettings(StepSettings):
    """Weights in fewer bits.

    `int8` computes in 8 bits, with ranges from so many calibration `images` (`minmax` or a
    `percentile`); `qat` also fine-tunes for `epochs`, a share of the training's. `weights` (8 or 4
    `bits`, a scale for each `group`; 0: for each output channel) and `pq` (product quantisation of
    blocks of `block` weights by so many `codewords`) make the file smaller and nothing faster.
    """

    takes: ClassVar = {
        "int8": ("calibration", "percentile", "images"),
        "qat": ("calibration", "percentile", "images", "epochs"),
        "weights": ("bits", "group"),
        "pq": ("block", "codewords"),
    }
    only_with: ClassVar = {"percentile": ("calibration", "percentile")}
    method: Literal["none", "int8", "qat", "weights", "pq"] = "none"
    bits: Annotated[Literal[8, 4], BeforeValidator(whole_number)] = 8
    group: Annotated[int, Field(ge=0, le=2**16)] = 0
    block: Annotated[int, Field(ge=2, le=64)] = 4
    codewords: Annotated[int, Field(ge=2, le=4096)] = 256
    calibration: Literal["minmax", "percentile"] = "minmax"
    percentile: Annotated[float, Field(gt=50, le=100)] = 99.99
    images: Count = 256
    epochs: Finetuning = 0.2

    @property
    def computes_in_int8(self) -> bool:
        """True if the deployed network does, and not only its file has fewer bits."""
        return self.method in ("int8", "qat")


class CompressionSettings(Group):
    """All steps, in the order in which they are taken."""

    distillation: DistillationSettings = DistillationSettings()
    quant_noise: QuantNoiseSettings = QuantNoiseSettings()
    pruning: PruningSettings = PruningSettings()
    quantisation: QuantisationSettings = QuantisationSettings()

    def meant(self) -> dict[str, dict[str, Any]]:
        """Plain values of the steps that do something: equal if the same is done."""
        own = self.model_dump(mode="json")
        return {
            name: _tidied(STEP_SETTINGS[name], values)
            for name, values in own.items()
            if values["method"] != NONE
        }


STEP_SETTINGS: Mapping[str, type[StepSettings]] = {
    "distillation": DistillationSettings,
    "quant_noise": QuantNoiseSettings,
    "pruning": PruningSettings,
    "quantisation": QuantisationSettings,
}


def tidied_compression(section: Mapping[str, Any]) -> dict[str, Any]:
    """A design's section of compression without keys that do nothing beside the others.

    Of a step whose method the section leaves to the run, nothing is known to be idle; what is no
    step is left as it is.
    """
    return {
        name: _tidied(STEP_SETTINGS[name], values) if _is_step(name, values) else values
        for name, values in section.items()
    }


def _is_step(name: str, values: Any) -> bool:
    return name in STEP_SETTINGS and isinstance(values, Mapping)


def _tidied(group: type[StepSettings], values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if not group.is_idle(key, values)}
