"""Quant-Noise: a training in which some weights are what quantisation would make of them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn

from evonas.compression.packing.integers import rounded, stored_scales
from evonas.compression.packing.product import Product, codebook_of, nearest
from evonas.compression.packing.weight_blocks import block_size, cut, joined
from evonas.compression.step import Step, StepKit
from evonas.errors import SettingsError
from evonas.settings import CompressionSettings
from evonas.settings.compression import QuantNoiseSettings
from evonas.training.attachment import Attachment
from evonas.training.parts import weighted

CODEWORDS = 256  # of a layer
ROUNDS = 5  # of k-means; codewords are only as good as weights that still change

# Blocks (out_channels, blocks, size) and which are drawn (out_channels, blocks) to the blocks with
# those that are drawn as they would be stored.
Distortion = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def in_integers(blocks: torch.Tensor, drawn: torch.Tensor, bits: int) -> torch.Tensor:
    """Whole numbers of so many bits times a scale for each output channel."""
    scales = stored_scales(blocks.flatten(1), bits)[..., None]
    return torch.where(drawn[..., None], rounded(blocks, scales, bits) * scales, blocks)


def in_codewords(blocks: torch.Tensor, drawn: torch.Tensor, codebook: torch.Tensor) -> torch.Tensor:
    """The nearest codeword of each block."""
    values = blocks.clone()
    values[drawn] = codebook[nearest(blocks[drawn], codebook)]
    return values


class Noise(Attachment):
    """Distorts another random share of the blocks of each weight in each forward pass.

    Gradients are those of the distorted weights, for all weights (straight-through). Distorted are
    the weights of convolutions and linear layers, in training mode only; which blocks, torch's
    global generator draws. Fan et al. 2020 (arXiv 2004.07320), section 4; with a share of 1 this is
    quantisation-aware training of the weights.

    `int8` and `int4` have a scale for each output channel, as it is at the time. Codewords of `pq`
    are found anew at the beginning of each epoch. Layers that product quantisation makes larger are
    distorted by int8, as they are packed.
    """

    def __init__(self, settings: QuantNoiseSettings, seed: int) -> None:
        self.settings = settings
        self.product = Product(settings.block, CODEWORDS, seed)
        self.layers: list[Any] = []
        self.distortions: dict[Any, Distortion] = {}

    @contextmanager
    def attached(
        self, network: nn.Module, device: torch.device, state: Mapping[str, torch.Tensor]
    ) -> Iterator[None]:
        """Hooks around each layer; the network keeps its weights under their names."""
        self.layers = list(weighted(network))
        handles = [layer.register_forward_pre_hook(self._hide) for layer in self.layers]
        handles += [layer.register_forward_hook(_show, always_call=True) for layer in self.layers]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
            self.layers, self.distortions = [], {}

    def before_epoch(self) -> None:
        """Finds the codewords of weights as they are now."""
        self.distortions = {layer: self._distortion(layer.weight) for layer in self.layers}

    def _distortion(self, weight: torch.Tensor) -> Distortion:
        if self.settings.method == "int4":
            return partial(in_integers, bits=4)
        if self.settings.method == "int8" or not self.product.is_smaller(weight.shape):
            return partial(in_integers, bits=8)
        blocks = cut(weight.detach(), block_size(weight.shape, self.settings.block))
        codebook = codebook_of(blocks, CODEWORDS, self.product.seed, ROUNDS)
        return partial(in_codewords, codebook=codebook.to(weight))

    def _hide(self, layer: Any, given: tuple[Any, ...]) -> None:
        """Hook before a layer: an attribute hides its parameter, and hands gradients on to it."""
        if layer.training:
            distorted = self._distorted(layer.weight, self.distortions[layer])
            layer.__dict__["weight"] = distorted + (layer.weight - layer.weight.detach())

    @torch.no_grad()
    def _distorted(self, weight: torch.Tensor, distortion: Distortion) -> torch.Tensor:
        with torch.autocast(weight.device.type, enabled=False):
            blocks = cut(weight, block_size(weight.shape, self.settings.block))
            drawn = torch.rand(blocks.shape[:2], device=weight.device) < self.settings.share
            return joined(distortion(blocks, drawn), weight.shape)


def _show(layer: nn.Module, given: tuple[Any, ...], out: Any) -> None:
    """Hook behind a layer, also behind one that fails."""
    layer.__dict__.pop("weight", None)


class QuantNoise(Step):
    """The step of the settings `quant_noise`."""

    acts_in_training = QuantNoiseSettings.acts_in_training

    def is_on(self, settings: CompressionSettings) -> bool:
        """Whether there is a method."""
        return settings.quant_noise.method != "none"

    def attachment(self, kit: StepKit) -> Attachment | None:
        """Its noise.

        Raises:
            SettingsError: A CUDA graph is asked for, and codewords would not change in it.
        """
        is_recorded = kit.recipe.cuda_graphs and kit.device.type == "cuda"
        if kit.settings.quant_noise.method == "pq" and is_recorded:
            raise SettingsError(
                "compression.quant_noise.method=pq has other codewords in each epoch, and what "
                "training.cuda_graphs records stays as it is. Write training.cuda_graphs=false."
            )
        return Noise(kit.settings.quant_noise, kit.seed)
