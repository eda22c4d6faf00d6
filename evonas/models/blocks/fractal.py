"""FractalNet's block."""

import torch
from torch import nn

from evonas.models.cell import add, mean
from evonas.models.layers import ConvNormActivation

SHARE_GLOBAL = 0.5  # of the samples of a batch keep a single column (arXiv 1605.07648, section 4)


class Fractal(nn.Module):
    """Columns of 1, 2, 4... convolutions; where columns meet, their mean goes on in each.

    (batch, in_channels, h, w) to (batch, out_channels, ceil(h / stride), ceil(w / stride)).
    FractalNet, arXiv 1605.07648, equation 1 and section 3: 2^columns - 1 convolutions with norm,
    activation and dropout. Where the stride is 2, 2x2 max pooling comes first.

    Args:
        columns: At least 1; the longest has 2^(columns - 1) convolutions.
        dropout: Probability of a zero behind each convolution, in training.
        drop_path: In training, half of the samples of a batch drop each input of a join with this
            probability, but never all (local); the other half keep one column of each block
            (global). 0 drops nothing.
    """

    role = "unit"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int,
        activation: str,
        columns: int,
        dropout: float = 0.0,
        norm: str = "batch",
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        self.drop_path = drop_path
        self.length = 2 ** (columns - 1)
        self.pool: nn.Module = nn.Identity()
        if stride != 1:
            self.pool = nn.MaxPool2d(stride, stride, ceil_mode=True)
        self.count = columns
        self.convolutions = nn.ModuleList()  # column by column, the shortest first
        for column in range(columns):
            for index in range(2**column):
                given = out_channels if index else in_channels
                layer: nn.Module = ConvNormActivation(
                    given, out_channels, kernel, 1, 1, activation, norm
                )
                dropped = nn.Sequential(layer, nn.Dropout(dropout))
                self.convolutions.append(dropped if dropout else layer)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        states: list[torch.Tensor] = [self.pool(maps)] * self.count
        kept = self._draw_columns(maps)
        for step in range(1, self.length + 1):
            ending = []  # columns of which a convolution ends here
            for column in range(self.count):
                span = self.length >> column
                if step % span == 0:
                    ending.append(column)
                    layer = self.convolutions[2**column - 1 + step // span - 1]
                    states[column] = layer(states[column])
            joined = self._joined([states[column] for column in ending], ending, kept)
            for column in ending:
                states[column] = joined
        return states[-1]

    def _draw_columns(self, maps: torch.Tensor) -> torch.Tensor | None:
        """The column that each sample keeps, -1: all; None if nothing is dropped."""
        if not self.training or not self.drop_path:
            return None
        drawn = torch.randint(self.count, (len(maps),), device=maps.device)
        is_global = torch.rand(len(maps), device=maps.device) < SHARE_GLOBAL
        return torch.where(is_global, drawn, -1)

    def _joined(
        self, parts: list[torch.Tensor], columns: list[int], kept: torch.Tensor | None
    ) -> torch.Tensor:
        if len(parts) == 1:
            return parts[0]
        if kept is None:
            return mean(parts)
        shares = self._shares(columns, kept).to(parts[0].dtype)
        weights = shares[:, :, None, None, None]
        return add([part * weights[:, index] for index, part in enumerate(parts)])

    def _shares(self, columns: list[int], kept: torch.Tensor) -> torch.Tensor:
        """(batch, inputs of a join): what each counts; they sum to 1."""
        shape, device = (len(kept), len(columns)), kept.device
        stays = torch.rand(shape, device=device) >= self.drop_path
        survivor = torch.rand(shape, device=device).argmax(1, keepdim=True)
        stays = stays | (~stays.any(1, keepdim=True)).logical_and(one_of(survivor, shape))
        only = kept[:, None] == torch.tensor(columns, device=device)
        # A join that the kept column does not meet leads into columns that are not kept.
        is_local = (kept < 0)[:, None] | ~only.any(1, keepdim=True)
        counts = torch.where(is_local, stays, only).float()
        return counts / counts.sum(1, keepdim=True)


def one_of(index: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
    """(batch, count), true at the index (batch, 1) of each row."""
    return torch.arange(shape[1], device=index.device) == index
