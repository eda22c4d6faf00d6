"""The training recipe: a setting for each heuristic; what changes a result may also be a gene.

Names are those that users of Ultralytics know, where they have one.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from evonas.settings.fields import (
    Count,
    DataPath,
    Group,
    NotNegative,
    Positive,
    Probability,
    split_commas,
    whole_number,
)

Part = Annotated[float, Field(ge=0, lt=1)]  # of a whole, never all of it
Degrees = Annotated[float, Field(ge=0, le=180)]

RETIRED = (("sync_bn", False),)  # keys that are no more, with their defaults


class TrainingSettings(Group):
    """The training recipe, of a search's short trainings and of a retraining alike.

    Optimisation: without `batch_size` (null), it is 64, or less where there are few images
    (`training.batches`). `lr0` x `lr_factor` is the peak of the learning rate, `lrf` the last one
    as a share of it; without `lr0` (null), it is what the optimiser usually has (`training.rates`).
    `momentum` is that of `sgd`, `nesterov`, `rmsprop` and `muon`, and the first beta of the others.
    The rate rises for `warmup_epochs`; not set, for 40 % of the training. `step` divides it by ten
    after 50 % and 75 %. `ema` is the decay of an average of the weights, which is then what is
    scored; 0 is none. `initialisation` replaces the network's. A deep network learns sooner if it
    begins as a shallow one: `residual_init` is what the last norm of every residual branch
    multiplies by at first, and `shift_init` what norms before an activation add in blocks without a
    shortcut: with 1, these begin nearly linear. Both act from 5 blocks on, fully from 12.
    `gate_init` is the bias of squeeze-excite's gates at first: 0 is half open, 2 nearly open.
    `subdivisions` cuts each batch into so many mini-batches, whose gradients add up to its step: it
    takes less memory. Statistics of batch norms are then those of a mini-batch (`batch_norm=batch`)
    or of the mini-batches up to it (`cross_mini_batch`: YOLOv4's CmBN); `synced` takes those of all
    processes of a torch process group (SyncBN).

    Images: `translate` (share of the side), `scale` (zoom by up to this gain), `degrees`, `shear`
    (degrees), `fliplr`, `flipud` (probabilities), `hsv_h`, `hsv_s`, `hsv_v`, `contrast` (gains)
    vary each image; `fill` is what comes in at the sides. `cutout` blanks a square of this share
    of the side, `erasing` (probability) a random rectangle, `gridmask` (probability) a grid.
    `mixup` and `cutmix` are shares of batches, with weights from Beta(alpha, alpha).
    `progressive` is the share of the side that a training begins with; it grows in three steps.
    `self_adversarial` is the share of batches that the network attacks before it learns from them:
    each pixel moves by `self_adversarial_step` of its range.

    Detection alone: `mosaic` is the share of images that four make up, until `close_mosaic`: so
    many epochs before the end, or below 1 that share of the training. `crop` cuts a part that still
    overlaps with the boxes (share of images), `expand` lays the image on a larger canvas,
    `interpolate` resizes by another interpolation, `multi_scale` draws the side of each batch
    from 1 - x to 1 + x times the usual. `assigner` says which points learn a box, `box_loss` and
    `class_loss` how, and `box`, `cls`, `dfl` are the gains of box, class and distribution. `nms`
    says how boxes of one thing become one, of an overlap above `nms_iou`, and `confidence` is the
    least score that a prediction tells. Of heads with anchors: `anchors`
    are width and height of each in px, the finest level's first (not set: those that fit the
    training boxes, by k-means); `obj` is the gain of objectness, a
    point whose box overlaps more than `ignore_iou` with one that it does not learn is told nothing,
    and anchors that overlap more than `anchor_iou` with a box learn it beside the best (not set:
    the best alone); YOLOv2's weighs its parts by `object_scale`, `noobject_scale`, `coord_scale`
    and `class_scale`, and regresses roots of sizes with `root_sizes`. Of SSD's head `location` is
    the gain of offsets, and `hard_negatives` times as many default boxes of the background as of
    things count.

    Regularisation: `dropout` before the classifier, `spatial_dropout` of whole maps and
    `drop_block` of squares behind blocks, `neck_drop_block` of squares where a detector's neck
    fuses maps of several levels, `drop_connect` of the classifier's weights, `drop_path`
    of blocks that are skipped around: `local` by sample and block, `global` one depth for all.
    `ramp` lets squares and paths grow over the training from 0. `auxiliary` is the weight of the
    loss of a second classifier, at two thirds of the depth, which is there while training only;
    there are `auxiliary_heads` of these, the others evenly in front of it.

    Transfer: `weights` (a safetensors file) to begin with, of which `reset_last` linear and
    convolutional layers are drawn anew; `freeze` that many parts from the input, or `all` but
    the classifier, or of a detector neck and head; `layer_decay` multiplies the rate of each part
    before the last. `inherit` begins with the parent's weights.

    `clip_gradients` is the largest norm of all gradients together; 0 is no limit.

    A retraining with `keep=best` learns from the training images alone and keeps the epoch that
    does best on the validation images; `last` learns from both. A search keeps the last epoch.
    `patience` epochs without a better loss end a training, `plateau` epochs lower its rate by
    ten. `amp` computes in bfloat16 where that is faster (`auto`). `compile` and `cuda_graphs`
    are for long trainings, and on a GPU. `log` writes curves. `flip_test` scores a model, and
    predicts, by each image and its mirror image together, which takes two passes through it.
    """

    epochs: Annotated[int, Field(ge=1, le=10**6)] = 5
    batch_size: Annotated[int, Field(ge=1, le=2**16)] | None = None
    optimizer: Literal[
        "sgd",
        "nesterov",
        "adam",
        "adamw",
        "rmsprop",
        "adagrad",
        "adadelta",
        "adamax",
        "nadam",
        "muon",
    ] = "nesterov"
    lr0: Positive | None = None
    lr_factor: Positive = 1.0
    lrf: NotNegative = 0.01
    momentum: Part = 0.8
    weight_decay: NotNegative = 5e-4
    schedule: Literal["one_cycle", "cosine", "step", "constant"] = "one_cycle"
    warmup_epochs: NotNegative | None = None
    label_smoothing: Part = 0.1
    ema: Part = 0.0
    clip_gradients: NotNegative = 0.0
    initialisation: Literal["auto", "he", "xavier", "lecun"] | None = None
    residual_init: Annotated[float, Field(gt=0, le=1)] = 0.2
    shift_init: NotNegative = 1.0
    gate_init: NotNegative = 2.0
    patience: Count | None = None
    keep: Literal["last", "best"] = "last"
    plateau: Count | None = None
    subdivisions: Annotated[int, Field(ge=1, le=1024)] = 1
    batch_norm: Literal["batch", "cross_mini_batch", "synced"] = "batch"

    translate: Part = 0.0
    scale: Part = 0.0
    degrees: Degrees = 0.0
    shear: Annotated[float, Field(ge=0, lt=90)] = 0.0
    fliplr: Probability = 0.0
    flipud: Probability = 0.0
    fill: Literal["black", "reflect"] = "black"
    hsv_h: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    hsv_s: Part = 0.0
    hsv_v: Part = 0.0
    contrast: Part = 0.0
    cutout: Part = 0.0
    erasing: Probability = 0.0
    gridmask: Probability = 0.0
    mixup: Probability = 0.0
    mixup_alpha: Positive = 0.2
    cutmix: Probability = 0.0
    cutmix_alpha: Positive = 1.0
    progressive: Annotated[float, Field(gt=0, le=1)] = 1.0
    self_adversarial: Probability = 0.0
    self_adversarial_step: Part = 0.01

    mosaic: Probability = 0.0
    close_mosaic: NotNegative = 0.2
    crop: Probability = 0.0
    expand: Probability = 0.0
    interpolate: Probability = 0.0
    multi_scale: Part = 0.0

    assigner: Literal["tal", "simota", "centre"] = "tal"
    box_loss: Literal["iou", "giou", "diou", "ciou"] = "ciou"
    class_loss: Literal["bce", "focal", "varifocal"] = "bce"
    box: NotNegative = 7.5
    cls: NotNegative = 0.5
    dfl: NotNegative = 1.5
    obj: NotNegative = 1.0
    ignore_iou: Annotated[float, Field(gt=0, le=1)] = 0.7
    anchors: tuple[tuple[Positive, Positive], ...] | None = None
    anchor_iou: Annotated[float, Field(gt=0, lt=1)] | None = None
    object_scale: NotNegative = 5.0
    noobject_scale: NotNegative = 1.0
    coord_scale: NotNegative = 1.0
    class_scale: NotNegative = 1.0
    root_sizes: bool = False
    location: NotNegative = 1.0
    hard_negatives: NotNegative = 3.0
    nms: Literal["nms", "diou", "soft", "none"] = "nms"
    nms_iou: Annotated[float, Field(gt=0, le=1)] = 0.65
    confidence: Probability = 0.25

    dropout: Part = 0.0
    spatial_dropout: Part = 0.0
    drop_connect: Part = 0.0
    drop_block: Part = 0.0
    neck_drop_block: Part = 0.0
    drop_block_size: Count = 7
    drop_path: Part = 0.0
    drop_path_kind: Literal["local", "global"] = "local"
    ramp: bool = False
    auxiliary: NotNegative = 0.4
    auxiliary_heads: Annotated[int, Field(ge=1, le=100)] = 1

    weights: DataPath | None = None
    freeze: Annotated[
        Annotated[int, Field(ge=0)] | Literal["all"], BeforeValidator(whole_number)
    ] = 0
    reset_last: Annotated[int, Field(ge=0)] = 0
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    inherit: bool = False

    amp: Literal["auto", "on", "off"] = "auto"
    compile: bool = False
    cuda_graphs: bool = False
    flip_test: bool = False
    log: Annotated[tuple[Literal["csv", "tensorboard"], ...], BeforeValidator(split_commas)] = ()

    @model_validator(mode="before")
    @classmethod
    def _without_retired(cls, values: Any) -> Any:
        """What runs and recipes of earlier versions say of settings that did nothing."""
        if not isinstance(values, dict):
            return values
        return {key: value for key, value in values.items() if (key, value) not in RETIRED}

    @model_validator(mode="after")
    def _suppresses_what_is_seen_twice(self) -> Self:
        if self.flip_test and self.nms == "none":
            raise ValueError(
                "flip_test=true sees each thing twice, and nms=none leaves both boxes. Write "
                "training.nms=nms, or leave flip_test out"
            )
        return self
