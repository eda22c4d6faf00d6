"""Weights as a network of another program asks for them: by its names, in its order."""

import torch
from torch.nn import functional


class GivenWeights:
    """Makes each tensor when it is first asked for, no two alike, and computes with it.

    `state`: a state dict, in the order in which the tensors were asked for; float64 numbers that
    are exact in 32 bits. On the meta device there are names and shapes alone.
    """

    def __init__(self, device: str = "cpu") -> None:
        self.state: dict[str, torch.Tensor] = {}
        self.device = device
        self._generator = torch.Generator().manual_seed(5)

    def images(self, channels: int, side_px: int) -> torch.Tensor:
        """One image, as `linspace` has it."""
        values = torch.linspace(-1, 1, channels * side_px**2).double()
        return values.view(1, channels, side_px, side_px).to(self.device)

    def conv(
        self,
        maps: torch.Tensor,
        name: str,
        channels: int,
        kernel: int | tuple[int, int] = 1,
        stride: int = 1,
        groups: int = 1,
        bias: bool = False,
        padding: int | tuple[int, int] | None = None,
    ) -> torch.Tensor:
        """A convolution; padding keeps the size unless another is given."""
        height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
        shape = (channels, maps.shape[1] // groups, height, width)
        weight = self._tensor(f"{name}.weight", shape, (3 / (shape[1] * height * width)) ** 0.5)
        shift = self._tensor(f"{name}.bias", (channels,), 0.1) if bias else None
        around = (height // 2, width // 2) if padding is None else padding
        return functional.conv2d(maps, weight, shift, stride, around, groups=groups)

    def norm(self, maps: torch.Tensor, name: str, eps: float = 1e-5) -> torch.Tensor:
        """A batch norm in evaluation mode."""
        shape = (maps.shape[1],)
        weight = self._tensor(f"{name}.weight", shape, 0.3, 1)
        bias = self._tensor(f"{name}.bias", shape, 0.3)
        mean = self._tensor(f"{name}.running_mean", shape, 0.3)
        variance = self._tensor(f"{name}.running_var", shape, 0.3, 1)
        self.state.setdefault(f"{name}.num_batches_tracked", torch.tensor(9))
        return functional.batch_norm(maps, mean, variance, weight, bias, eps=eps)

    def linear(self, features: torch.Tensor, name: str, count: int) -> torch.Tensor:
        """A linear layer with a bias."""
        shape = (count, features.shape[1])
        weight = self._tensor(f"{name}.weight", shape, (3 / shape[1]) ** 0.5)
        return functional.linear(features, weight, self._tensor(f"{name}.bias", (count,), 0.1))

    def _tensor(
        self, name: str, shape: tuple[int, ...], scale: float, middle: float = 0.0
    ) -> torch.Tensor:
        if name not in self.state:
            made = torch.rand(shape, generator=self._generator) if self.device == "cpu" else None
            drawn = torch.empty(shape, device="meta") if made is None else made
            self.state[name] = (drawn * 2 - 1).mul(scale).add(middle).double()
        return self.state[name]
