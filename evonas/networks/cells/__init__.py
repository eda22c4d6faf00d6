"""Normal and reduction cells: the grammar behind NASNet, PNASNet, AmoebaNet and DARTS."""

from evonas.networks.cells.plan import plan_cells
from evonas.networks.cells.rules import RULES
from evonas.networks.cells.section import built_meaning, meaning, narrowed, scaled, tidied, words
from evonas.networks.grammar import Grammar, with_defaults, without_defaults

CELLS = Grammar(
    RULES,
    tidied,
    without_defaults,
    scaled,
    meaning,
    built_meaning,
    with_defaults,
    words,
    plan_cells,
    narrowed,
)
