"""Channels that matter least go, each with all weights that make it, change it and read it."""

from collections.abc import Sequence
from functools import lru_cache

from evonas.compression.pruning.importance import Scores
from evonas.compression.pruning.matching import Coupling
from evonas.compression.pruning.method import Cut, Method
from evonas.compression.step import Section
from evonas.models.network import Network
from evonas.networks import narrowed
from evonas.networks import planned as plan_of
from evonas.networks.plan import Plan


class Channels(Method):
    """Structured pruning: a network with fewer channels everywhere, a plain one."""

    def planned(self, section: Section, shares: Sequence[float]) -> Section:
        """See `Method.planned`."""
        return narrowed(section, shares)

    def check(self, cut: Cut) -> None:
        """See `Method.check`."""
        _check(plan_of(cut.before), plan_of(cut.after))

    def cut(self, network: Network, cut: Cut, importance: Scores) -> Network:
        """See `Method.cut`."""
        coupling = Coupling(network.plan, plan_of(cut.after))
        kept = coupling.kept(coupling.scores(importance))
        state = {name: tensor.cpu() for name, tensor in network.state_dict().items()}
        narrow = Network(coupling.small_plan)
        narrow.load_state_dict(coupling.narrowed(state, kept))
        return narrow


@lru_cache(maxsize=512)
def _check(before: Plan, after: Plan) -> None:
    """Once for each pair: what is asked of a design is asked at every step of its way."""
    Coupling(before, after)
