"""From maps to boxes of anchors: several predictions for each cell, each with a size of its own.

Points count level by level, the finest first, cell by cell, and anchor by anchor in each. All
numbers of boxes are at least float32.
"""

import torch
from torch import nn

from evonas.models.detection.prediction import cells

BOX = 4  # tx, ty, tw, th
OBJECTNESS = 1


class AnchorPrediction(nn.Conv2d):
    """A 1x1 convolution to tx, ty, tw, th, objectness and classes of each anchor.

    (batch, in_channels, h, w) to (batch, anchors * (5 + classes), h, w), in Darknet's order.

    Args:
        first_bias: The objectness before a training; all else begins at 0, so that a box is its
            anchor in the middle of its cell. The attribute has the bias of each channel.
    """

    role = "prediction"
    first_deviation = 0.01

    def __init__(self, in_channels: int, anchors: int, classes: int, first_bias: float) -> None:
        self.first_bias = ([0.0] * BOX + [first_bias] + [0.0] * classes) * anchors
        super().__init__(in_channels, anchors * (BOX + OBJECTNESS + classes), 1)

    def reset_parameters(self) -> None:
        """Weights as before a training."""
        assert self.bias is not None, "a prediction has a bias"
        nn.init.normal_(self.weight, std=self.first_deviation)
        with torch.no_grad():
            self.bias.copy_(torch.tensor(self.first_bias))


class AnchorPoints(nn.Module):
    """Maps of all levels as rows of points.

    (batch, anchors * values, h, w) each to (batch, points, values).
    """

    def __init__(self, anchors: int) -> None:
        super().__init__()
        self.anchors = anchors

    def forward(self, *maps: torch.Tensor) -> torch.Tensor:
        """All points of all levels."""
        return torch.cat([self._rows(each) for each in maps], 1)

    def _rows(self, maps: torch.Tensor) -> torch.Tensor:
        batch, channels, height, width = maps.shape
        values = channels // self.anchors
        cells_last = maps.flatten(2).transpose(1, 2)
        return cells_last.reshape(batch, height * width * self.anchors, values)


class Values(nn.Module):
    """Some of the values of each point: (batch, points, values) to those from `first` to `last`.

    Without `last`, all from the first on.
    """

    def __init__(self, first: int, last: int | None = None) -> None:
        super().__init__()
        self.first = first
        self.last = last

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        """(batch, points, last - first)."""
        return points[:, :, self.first : self.last]


class AnchorPriors(nn.Module):
    """Where points are and how large their anchors: (1, points, 5).

    Centre x and y of the cell, width and height of the anchor and stride, in px. The anchors are a
    buffer (levels, anchors, 2), so that they go wherever weights go.

    Args:
        strides: Of the maps, which are read for their sizes alone.
        anchors: Width and height of each in px, before a training sets them: a list a level.
    """

    role = "anchors"
    anchors: torch.Tensor

    def __init__(self, strides: list[int], anchors: list[list[list[float]]]) -> None:
        super().__init__()
        self.strides = strides
        self.register_buffer("anchors", torch.tensor(anchors, dtype=torch.float32))

    def forward(self, *maps: torch.Tensor) -> torch.Tensor:
        """The cells of maps (batch, channels, h, w), each once an anchor."""
        levels = zip(maps, self.strides, self.anchors.unbind(0), strict=True)
        return torch.cat([self._level(*level) for level in levels]).unsqueeze(0)

    def _level(self, maps: torch.Tensor, stride: int, anchors: torch.Tensor) -> torch.Tensor:
        own = cells(maps, stride)
        sizes = anchors.to(own.dtype).unsqueeze(0).expand(len(own), -1, -1)
        places = own.unsqueeze(1).expand(-1, len(anchors), -1)
        rows = torch.cat([places[:, :, :2], sizes, places[:, :, 2:3]], 2)
        return rows.reshape(len(own) * len(anchors), BOX + 1)


class AnchorBoxes(nn.Module):
    """Raw numbers of points as boxes in px.

    offsets (batch, points, 4) and priors (1, points, 5) to (batch, points, 4): x1, y1, x2, y2. The
    centre is s sigmoid(t) - (s - 1) / 2 strides from the corner of the cell, the size e^t times
    the anchor's (YOLOv2, arXiv 1612.08242, section 2; s is YOLOv4's, arXiv 2004.10934, section
    3.4: above 1, centres on the edge of a cell can be told by numbers that are not infinite).

    Args:
        grid_sensitivity: s of each level.
        strides: Of the levels.
    """

    # e^8 times an anchor is beyond any image, and its square still a number in float32.
    most = 8.0

    def __init__(self, grid_sensitivity: list[float], strides: list[int]) -> None:
        super().__init__()
        self.grid_sensitivity = grid_sensitivity
        self.strides = strides

    def forward(self, offsets: torch.Tensor, priors: torch.Tensor) -> torch.Tensor:
        """The box of each point."""
        raw = offsets.to(priors.dtype)
        shift = (raw[:, :, :2].sigmoid() - 0.5) * self._sensitivity(priors[:, :, 4:])
        centres = priors[:, :, :2] + shift * priors[:, :, 4:]
        half = raw[:, :, 2:].clamp(max=self.most).exp() * priors[:, :, 2:4] / 2
        return torch.cat([centres - half, centres + half], 2)

    def _sensitivity(self, strides: torch.Tensor) -> torch.Tensor:
        """(1, points, 1)."""
        first, *others = zip(self.grid_sensitivity, self.strides, strict=True)
        values = torch.full_like(strides, first[0])
        for value, stride in others:
            if value != first[0]:
                values = torch.where(strides == stride, value, values)
        return values


class ObjectScores(nn.Module):
    """Probabilities that there is an object, and of that class.

    logits (batch, points, classes) and objectness (batch, points, 1) to (batch, points, classes).

    Args:
        exclusive: Classes exclude each other, as in YOLOv2: a softmax; else a sigmoid of each.
    """

    def __init__(self, exclusive: bool) -> None:
        super().__init__()
        self.exclusive = exclusive

    def forward(self, logits: torch.Tensor, objectness: torch.Tensor) -> torch.Tensor:
        """0..1."""
        classes = logits.softmax(2) if self.exclusive else logits.sigmoid()
        return objectness.sigmoid() * classes


class Settling(nn.Module):
    """Whether a training is young: (1,), 1 in its first batches and 0 later, and 0 elsewhere.

    Args:
        batches: So many are its first; a buffer counts them, so that a training that goes on
            knows.
    """

    seen: torch.Tensor

    def __init__(self, batches: int) -> None:
        super().__init__()
        self.batches = batches
        self.register_buffer("seen", torch.zeros(1, dtype=torch.int64))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps are read for their type alone."""
        if not self.training:
            return torch.zeros_like(self.seen, dtype=maps.dtype)
        is_young = self.seen < self.batches
        self.seen += 1
        return is_young.to(maps.dtype)
