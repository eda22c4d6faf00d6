"""What may be chosen: genes, their conditions, and how numbers become a Blueprint.

A space file is a blueprint with choices left open. `gene` holds the kinds of choice,
`search_space` turns chromosomes into blueprints and back, `document` reads and joins the files,
`load` makes spaces of them, `conditions` finds those that cannot hold, `networks` says what a
network section means.
"""

from evonas.blueprint import network_key, scaled_network
from evonas.networks import Scale
from evonas.space.document import known_parts, known_spaces
from evonas.space.load import load_part, load_space
from evonas.space.search_space import SearchSpace

__all__ = [
    "Scale",
    "SearchSpace",
    "known_parts",
    "known_spaces",
    "load_part",
    "load_space",
    "network_key",
    "scaled_network",
]
