"""One design under measurement: each thing about it is worked out once, and only if asked."""

from dataclasses import dataclass
from functools import cached_property

from torch import nn

from evonas.blueprint import Blueprint, plan_network
from evonas.evaluation.kit import Kit
from evonas.evaluation.measures import MEASURES, Derivation
from evonas.evaluation.proxies import PROXIES
from evonas.evaluation.trial_training import Trained, trained
from evonas.exporters.forms import FORMS
from evonas.hardware.latency import Clock, Latency, kept_latency
from evonas.hardware.memory import peak_memory_bytes
from evonas.models import Count, build, count, deployed
from evonas.networks.plan import Plan
from evonas.space import Scale, network_key
from evonas.training.job import gains_from_bfloat16
from evonas.training.precision import is_worth_a_probe, network_family
from evonas.trial import Assignment


@dataclass(frozen=True)
class Artefact:
    """A design as it is deployed: what is measured is what is shipped.

    Weights are fresh: their values do not change the work. `key` is equal for artefacts of which
    every measure is the same; `batch` is the number of images of an inference. Network and model
    are made when they are first asked for.
    """

    design: Blueprint
    scale: Scale
    plan: Plan
    key: str
    batch: int

    @cached_property
    def network(self) -> nn.Module:
        """The network with its weights."""
        return deployed(build(self.design, self.scale, seed=0))

    @cached_property
    def model(self) -> bytes:
        """The network as a serialised ONNX model.

        Raises:
            BuildError: The weights are more than an ONNX file holds.
        """
        return FORMS["onnx"].write(self.network, self.scale.input_shape, self.batch)

    def latency(self, clock: Clock) -> Latency:
        """What the clock says of it."""
        if clock.form is not None:
            return clock.measure(self.model)
        return clock.measure_network(self.network, self.scale.input_shape)


class Bench:
    """One design, with what its run measures with.

    Attributes:
        latency_taken, training_done: What has been measured, None where nothing asked for it.

    Args:
        seed: Of the untrained network that scores are taken of.
        assignment: Says how the design is trained; without it, it cannot be.
    """

    def __init__(
        self,
        kit: Kit,
        design: Blueprint,
        seed: int = 0,
        assignment: Assignment | None = None,
    ) -> None:
        self.kit = kit
        self.design = design
        self.seed = seed
        self.assignment = assignment
        self.latency_taken: Latency | None = None
        self.training_done: Trained | None = None
        self._plans: dict[Scale, Plan] = {}

    def take(self, measure: str) -> float:
        """A measure by its name: one that is taken, and not computed from others."""
        take = MEASURES[measure].take
        assert not isinstance(take, Derivation), "what is computed is not taken"
        return float(take(self))

    def plan(self, scale: Scale) -> Plan:
        """The network's layers at a scale, those that only a training needs among them.

        Raises:
            BuildError: It cannot be built at this scale.
        """
        if scale not in self._plans:
            self._plans[scale] = plan_network(self.design, scale)
        return self._plans[scale]

    def artefact(self, scale: Scale) -> Artefact:
        """What is deployed at a scale."""
        key, batch = network_key(self.design, scale), self.kit.settings.latency.batch
        return Artefact(self.design, scale, self.plan(scale).as_deployed(), key, batch)

    @cached_property
    def count(self) -> Count:
        """Parameters and multiply-adds of what is deployed."""
        return count(self.plan(self.kit.measured).as_deployed())

    def peak_memory(self) -> int:
        """Bytes that one inference needs (see `hardware.memory`)."""
        return peak_memory_bytes(self.plan(self.kit.measured).as_deployed())

    def latency(self) -> Latency:
        """Of one batch on this device, measured or from the user's cache."""
        if self.latency_taken is None:
            clock, artefact = self.kit.clock(), self.artefact(self.kit.deployed)
            self.latency_taken = kept_latency(
                artefact.key, clock.settings, clock.reference_ms, lambda: artefact.latency(clock)
            )
        return self.latency_taken

    def deployed_plan(self) -> Plan:
        """The layers of the network whose latency is measured."""
        return self.plan(self.kit.deployed).as_deployed()

    def score(self, proxy: str) -> float:
        """A zero-cost proxy of the untrained network at proxy scale (see `proxies`)."""
        with self.kit.threads():
            network = build(self.design, self.kit.proxy, self.seed)
            return PROXIES[proxy](network, *self.kit.proxy_batch())

    def trained(self) -> Trained:
        """The training at proxy scale, done at most once."""
        if self.training_done is None:
            assert self.assignment is not None, "what is counted beforehand needs no training"
            self.training_done = trained(self.kit, self.assignment)
        return self.training_done

    def precision_family(self) -> str | None:
        """Equal for designs that gain from bfloat16 alike; None if there is nothing to decide."""
        recipe = self.kit.recipe(self.design)
        if recipe.amp != "auto" or self.kit.settings.run.deterministic:
            return None
        plan = self.plan(self.kit.proxy)
        if not is_worth_a_probe(recipe, len(self.kit.data().train), count(plan).macs):
            return None
        return f"{network_family(plan)} on {self.kit.device.type}"

    def gains_from_bfloat16(self) -> bool:
        """Whether training this design is clearly faster in bfloat16, found out by timing.

        Raises:
            RuntimeError: It cannot be run.
        """
        data, recipe = self.kit.data(), self.kit.recipe(self.design)
        network = build(self.design, self.kit.proxy, self.seed)
        with self.kit.threads():
            return gains_from_bfloat16(network, recipe, data.train, data.problem, self.kit.device)
