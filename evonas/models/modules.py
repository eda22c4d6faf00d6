"""The modules that plans are made of, by name. A new one is a line here.

Their source is copied into exported models, so they import torch and `evonas.models` only.
"""

from collections.abc import Mapping

from torch import nn

from evonas.models.blocks.conv import Conv
from evonas.models.blocks.darknet import Darknet
from evonas.models.blocks.dense import Dense
from evonas.models.blocks.depthwise_separable import DepthwiseSeparable
from evonas.models.blocks.dual_path import DualPath
from evonas.models.blocks.fire import Fire
from evonas.models.blocks.fractal import Fractal
from evonas.models.blocks.identity import Identity
from evonas.models.blocks.inception import Inception
from evonas.models.blocks.inverted_residual import InvertedResidual
from evonas.models.blocks.residual import Bottleneck, Residual
from evonas.models.blocks.shake import Shake
from evonas.models.blocks.shuffle import Shuffle
from evonas.models.cell import Cell, Dropped, Node, NormActivation, ResidualReduction
from evonas.models.chain_layers import (
    Activation,
    AvgPool,
    ChannelGroup,
    Concat,
    Dropout,
    Flatten,
    LinearActivation,
    LocalResponseNorm,
    MaxPool,
    Norm,
    PoolPyramid,
    Row,
    SpaceToDepth,
    SpatialAttention,
    Sum,
    WeightedSum,
)
from evonas.models.cross_stage import CrossStage
from evonas.models.detection.adaptive_fusion import AdaptiveFusion
from evonas.models.detection.anchored import (
    AnchorBoxes,
    AnchorPoints,
    AnchorPrediction,
    AnchorPriors,
    ObjectScores,
    Settling,
    Values,
)
from evonas.models.detection.default_boxes import (
    AtLeast,
    BoxPoints,
    ClassScores,
    DefaultBoxes,
    L2Norm,
    OffsetBoxes,
)
from evonas.models.detection.prediction import Boxes, Points, Prediction, Priors, Scores
from evonas.models.detection.pyramid import Fusion, Still, Upsample
from evonas.models.detection.receptive_field_block import ReceptiveFieldBlock
from evonas.models.layers import (
    ActivationConvNorm,
    ChannelShuffle,
    ClassifierHead,
    ConvNormActivation,
    FactorizedReduction,
    GlobalPool,
    LpPool,
    PyramidFeatures,
)
from evonas.models.operations.asymmetric_conv import AsymmetricConv
from evonas.models.operations.depthwise_conv import DepthwiseConv
from evonas.models.operations.double_conv import DoubleConv
from evonas.models.operations.plain_conv import PlainConv
from evonas.models.operations.pooling import Pooling
from evonas.models.operations.separable_conv import SeparableConv
from evonas.models.operations.skip_connect import SkipConnect
from evonas.models.operations.zero import Zero
from evonas.models.stems import BareConv, DeepStem, StemPool

STEMS = (BareConv, ConvNormActivation, DeepStem, StemPool)
BLOCKS = (
    *(Bottleneck, Conv, Darknet, Dense, DepthwiseSeparable, DualPath, Fire, Fractal, Identity),
    *(Inception, InvertedResidual, Residual, Shake, Shuffle),
)
AROUND_BLOCKS = (CrossStage,)
OPERATIONS = (
    *(ActivationConvNorm, AsymmetricConv, DepthwiseConv, DoubleConv, FactorizedReduction),
    *(PlainConv, Pooling, SeparableConv, SkipConnect, Zero),
)
CELLS = (Cell, Dropped, Node, NormActivation, ResidualReduction)
LAYERS = (
    *(Activation, AvgPool, ChannelGroup, ChannelShuffle, Dropout, Flatten, GlobalPool),
    *(LinearActivation, LocalResponseNorm, LpPool, MaxPool, Norm, PoolPyramid, PyramidFeatures),
    *(SpaceToDepth, SpatialAttention),
)
BRANCHES = (Concat, Row, Sum, WeightedSum)
HEADS = (ClassifierHead,)
DETECTION = (
    *(AdaptiveFusion, AtLeast, BoxPoints, Boxes, ClassScores, DefaultBoxes, Fusion, L2Norm),
    *(OffsetBoxes, Points, Prediction, Priors, ReceptiveFieldBlock, Scores, Still, Upsample),
)
ANCHORED = (
    *(AnchorBoxes, AnchorPoints, AnchorPrediction, AnchorPriors, ObjectScores, Settling, Values),
)

GROUPS = (
    *(
        STEMS,
        BLOCKS,
        AROUND_BLOCKS,
        OPERATIONS,
        CELLS,
        LAYERS,
        BRANCHES,
        HEADS,
        DETECTION,
        ANCHORED,
    ),
)

MODULES: Mapping[str, type[nn.Module]] = {
    module.__name__: module for modules in GROUPS for module in modules
}
