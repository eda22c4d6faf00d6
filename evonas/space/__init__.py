"""What may be chosen: genes, their conditions, and how numbers become a Blueprint.

A space file is a blueprint with choices left open. `gene` holds the kinds of choice,
`search_space` turns chromosomes into blueprints and back, `load` reads the files, `canonical`
gives designs of equal meaning one form, `scale` says how large a network is built.
"""

from evonas.space.load import known_spaces, load_space
from evonas.space.scale import Scale, network_key, scaled_network
from evonas.space.search_space import SearchSpace

__all__ = ["Scale", "SearchSpace", "known_spaces", "load_space", "network_key", "scaled_network"]
