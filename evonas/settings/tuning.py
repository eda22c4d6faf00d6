"""How `evonas tune` polishes the training recipe of one network."""

from typing import Annotated, Literal

from pydantic import Field

from evonas.settings.fields import Count, Group, Names


class TuneSettings(Group):
    """How `evonas tune` polishes the training recipe of one network.

    `settings` names what is tuned, of `training`; not set: what the task has. `epochs` is the
    length of each training; not set: that of the recipe. The `pruner` ends trainings that do badly
    on the validation images so far: `median` those below the median of the others at that epoch,
    `hyperband` all but the best third at each of several lengths (Li et al., arXiv 1603.06560). The
    recipe and the best that was found are trained again from so many fresh `seeds`, by which they
    are compared.
    """

    settings: Names = ()
    epochs: Annotated[int, Field(ge=1, le=10**6)] | None = None
    pruner: Literal["median", "hyperband", "none"] = "median"
    seeds: Annotated[Count, Field(le=100)] = 2
