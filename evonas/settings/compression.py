"""What is done to a trained network, and to its training for that: a group for each step.

A step does nothing with `method=none`, its default.
"""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from evonas.settings.fields import Count, Group, NotNegative, Probability, Share, split_commas

Part = Annotated[float, Field(gt=0, le=1)]
Finetuning = Annotated[float, Field(ge=0, le=10)]  # as a share of the training's epochs


class DistillationSettings(Group):
    """Learning from a trained `teacher` as well as from the targets.

    `logits` learns what it gives, `features` its last maps too, with the weight `hint`. The loss is
    `alpha` times that of what the teacher gives at this `temperature`, and 1 - `alpha` times the
    plain one. `teacher` is a model folder, or `best`: the best design of the run so far.
    """

    method: Literal["none", "logits", "features"] = "none"
    teacher: str | None = None
    temperature: Annotated[float, Field(ge=1, le=100)] = 4.0
    alpha: Probability = 0.5
    hint: NotNegative = 1.0


class QuantNoiseSettings(Group):
    """Weights that are quantised in part while they are trained: a `share` of blocks, drawn anew.

    `block`: the weights of a block.
    """

    method: Literal["none", "int8", "int4", "pq"] = "none"
    share: Part = 0.5
    block: Annotated[int, Field(ge=1, le=1024)] = 8


class PruningSettings(Group):
    """What leaves a trained network: channels, whole blocks (`depth`), or single `weights`.

    `ratio` is the share that goes; `ratios` are those of the stages, of which the last holds for
    further ones. What matters is told by `importance`. A fine-tuning of `epochs`, as a share of the
    training's, follows, in `rounds`.
    """

    method: Literal["none", "channels", "depth", "weights"] = "none"
    ratio: Share = 0.3
    ratios: Annotated[tuple[Share, ...], BeforeValidator(split_commas)] = ()
    importance: Literal["l2", "l1", "taylor"] = "l2"
    rounds: Annotated[int, Field(ge=1, le=100)] = 1
    epochs: Finetuning = 0.2


class QuantisationSettings(Group):
    """Weights in fewer bits.

    `int8` computes in 8 bits, with ranges from so many calibration `images` (`minmax` or a
    `percentile`); `qat` also fine-tunes for `epochs`, a share of the training's. `weights` (8 or 4
    `bits`, a scale for each `group`; 0: for each output channel) and `pq` (product quantisation of
    blocks of `block` weights by so many `codewords`) make the file smaller and nothing faster.
    """

    method: Literal["none", "int8", "qat", "weights", "pq"] = "none"
    bits: Literal[8, 4] = 8
    group: Annotated[int, Field(ge=0, le=2**16)] = 0
    block: Annotated[int, Field(ge=2, le=64)] = 8
    codewords: Annotated[int, Field(ge=2, le=65536)] = 256
    calibration: Literal["minmax", "percentile"] = "minmax"
    percentile: Annotated[float, Field(gt=50, le=100)] = 99.99
    images: Count = 256
    epochs: Finetuning = 0.2


class CompressionSettings(Group):
    """All steps, in the order in which they are taken."""

    distillation: DistillationSettings = DistillationSettings()
    quant_noise: QuantNoiseSettings = QuantNoiseSettings()
    pruning: PruningSettings = PruningSettings()
    quantisation: QuantisationSettings = QuantisationSettings()
