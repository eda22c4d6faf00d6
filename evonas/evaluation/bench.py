"""One design under measurement: each thing about it is worked out once, and only if asked."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from evonas.blueprint import Blueprint, plan_network, scaled_network
from evonas.compression.compress import made_after, stored_bytes, until
from evonas.compression.compress import planned as compressed_section
from evonas.evaluation.artefact import Artefact
from evonas.evaluation.kit import Kit
from evonas.evaluation.measures import MEASURES, Derivation
from evonas.evaluation.proxies import PROXIES
from evonas.evaluation.trial_compression import Deployed, deployed
from evonas.evaluation.trial_training import Trained, trained
from evonas.hardware.latency import Latency, kept_latency
from evonas.hardware.memory import peak_memory_bytes
from evonas.key import key_of
from evonas.models import Count, build, count
from evonas.networks import built_meaning, planned
from evonas.networks.plan import Plan
from evonas.settings import CompressionSettings
from evonas.space import Scale, network_key
from evonas.training.job import gains_from_bfloat16
from evonas.training.precision import is_worth_a_probe, network_family
from evonas.trial import Assignment

INT8 = "int8"  # what tells a network that computes in 8 bits from its equal of 32


class Bench:
    """One design, with what its run measures with.

    Attributes:
        latencies_taken: What the clock said, by the key of the artefact.
        training_done: What came of the training, None where nothing asked for it.
        compression_done: The same of what is made of the trained network.

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
        self.compression_done: Deployed | None = None
        self._plans: dict[Scale, Plan] = {}
        self._deployed_plans: dict[Scale, Plan] = {}

    def take(self, measure: str) -> float:
        """A measure by its name: one that is taken, and not computed from others."""
        take = MEASURES[measure].take
        assert not isinstance(take, Derivation), "what is computed is not taken"
        return float(take(self))

    @property
    def is_confirmation(self) -> bool:
        """True if the design was measured before, and what that gave is to be confirmed."""
        return self.assignment is not None and self.assignment.trial.confirms is not None

    @cached_property
    def compression(self) -> CompressionSettings:
        """What is done to the trained network, and to its training for that."""
        return self.kit.compression(self.design)

    @cached_property
    def is_compressed(self) -> bool:
        """True if something else than what is trained is deployed."""
        return bool(made_after(self.compression))

    def plan(self, scale: Scale) -> Plan:
        """The layers of what is trained at a scale, those that only a training needs among them.

        Raises:
            BuildError: It cannot be built at this scale.
        """
        if scale not in self._plans:
            self._plans[scale] = plan_network(self.design, scale)
        return self._plans[scale]

    def deployed_plan(self, scale: Scale) -> Plan:
        """The layers of what is deployed at a scale.

        Raises:
            BuildError: It cannot be built at this scale, or a step of compression does not fit it.
        """
        if not self.is_compressed:
            return self.plan(scale).as_deployed()
        if scale not in self._deployed_plans:
            self._deployed_plans[scale] = planned(self._deployed_section(scale)).as_deployed()
        return self._deployed_plans[scale]

    def _deployed_section(self, scale: Scale) -> Mapping[str, Any]:
        return compressed_section(scaled_network(self.design, scale), self.compression)

    def check(self) -> None:
        """Raises a BuildError if a step of compression does not fit the network at any scale."""
        if self.compression != CompressionSettings():
            for scale in dict.fromkeys((self.kit.proxy, self.kit.measured, self.kit.deployed)):
                self._deployed_section(scale)

    def artefact(self, scale: Scale, is_before: bool = False) -> Artefact:
        """What is deployed at a scale, or would be without compression."""
        batch = self.kit.settings.latency.batch
        if is_before or not self.is_compressed:
            key = network_key(self.design, scale)
            return Artefact(self.design, scale, self.plan(scale).as_deployed(), key, batch)
        key, plan = self.deployed_key(scale), self.deployed_plan(scale)
        return Artefact(self.design, scale, plan, key, batch, self.compression)

    def deployed_key(self, scale: Scale) -> str:
        """Equal for designs of which the same is deployed but for its weights."""
        if not self.is_compressed:
            return network_key(self.design, scale)
        key = key_of(built_meaning(self._deployed_section(scale)))
        return key_of([key, INT8]) if self.compression.quantisation.computes_in_int8 else key

    @cached_property
    def count(self) -> Count:
        """Parameters and multiply-adds of what is deployed."""
        return count(self.deployed_plan(self.kit.measured))

    def peak_memory(self) -> int:
        """Bytes that one inference needs (see `hardware.memory`), where it computes in 32 bits."""
        return peak_memory_bytes(self.deployed_plan(self.kit.measured))

    def stored_bytes(self, is_before: bool = False) -> int:
        """Bytes of the weights of what is deployed, or would be without compression."""
        scale = self.kit.measured
        if is_before:
            return stored_bytes(self.plan(scale).as_deployed(), CompressionSettings())
        return stored_bytes(self.deployed_plan(scale), self.compression)

    def latency(
        self,
        of: Callable[[Artefact], Artefact] = lambda whole: whole,
        is_before: bool = False,
    ) -> Latency:
        """Of one batch on this device, measured or from the user's cache.

        That of a design that is trained again is measured again too.

        Args:
            of: From what is deployed to what is measured of it (see `artefact`).
            is_before: It is of what would be deployed without compression.
        """
        clock, artefact = self.kit.clock(), of(self.artefact(self.kit.deployed, is_before))
        if artefact.key not in self.latencies_taken:
            self.latencies_taken[artefact.key] = (
                artefact.latency(clock)
                if self.is_confirmation
                else kept_latency(
                    *(artefact.key, clock.settings, clock.reference_ms),
                    lambda: artefact.latency(clock),
                )
            )
        return self.latencies_taken[artefact.key]

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

    def deployed(self) -> Deployed:
        """What is made of the trained network at proxy scale, once."""
        if self.compression_done is None:
            assert self.assignment is not None, "what is made of a training needs one"
            self.compression_done = deployed(self.kit, self.assignment, self.trained())
        return self.compression_done

    def scores(self) -> Mapping[str, float]:
        """Of what is deployed, on the validation images."""
        return self.deployed().scores if self.is_compressed else self.trained().scores

    def ladder(self) -> list[dict[str, Any]]:
        """A row for the training and each step behind it, with the size at the measured scale."""
        rows: list[dict[str, Any]] = []
        for row in self.deployed().ladder:
            steps = until(self.compression, row["step"]) if rows else CompressionSettings()
            section = compressed_section(scaled_network(self.design, self.kit.measured), steps)
            size = stored_bytes(planned(section).as_deployed(), steps)
            rows.append({**row, "size_mib": size / 2**20})
        return rows

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
