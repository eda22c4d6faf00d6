"""One design under measurement: each thing about it is worked out once, and only if asked."""

from collections.abc import Callable
from functools import cached_property

from evonas.blueprint import Blueprint, plan_network
from evonas.evaluation.artefact import Artefact
from evonas.evaluation.kit import Kit
from evonas.evaluation.measures import MEASURES, Derivation
from evonas.evaluation.proxies import PROXIES
from evonas.evaluation.trial_training import Trained, trained
from evonas.hardware.latency import Latency, kept_latency
from evonas.hardware.memory import peak_memory_bytes
from evonas.models import Count, build, count
from evonas.networks.plan import Plan
from evonas.space import Scale, network_key
from evonas.training.job import gains_from_bfloat16
from evonas.training.precision import is_worth_a_probe, network_family
from evonas.trial import Assignment


class Bench:
    """One design, with what its run measures with.

    Attributes:
        latencies_taken: What the clock said, by the key of the artefact.
        training_done: What came of the training, None where nothing asked for it.

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
        self.latencies_taken: dict[str, Latency] = {}
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

    def latency(self, of: Callable[[Artefact], Artefact] = lambda whole: whole) -> Latency:
        """Of one batch on this device, measured or from the user's cache.

        Args:
            of: From what is deployed to what is measured of it (see `artefact`).
        """
        clock, artefact = self.kit.clock(), of(self.artefact(self.kit.deployed))
        if artefact.key not in self.latencies_taken:
            self.latencies_taken[artefact.key] = kept_latency(
                artefact.key, clock.settings, clock.reference_ms, lambda: artefact.latency(clock)
            )
        return self.latencies_taken[artefact.key]

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
