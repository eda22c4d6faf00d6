"""Mappings that look like genes as other tools write them, and are none here."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from evonas.space.gene import GENE_KINDS

# Words that say how a choice is drawn in Ray Tune, NNI, Optuna, hyperopt, W&B, Ax and others.
LISTS = (
    *("choices", "values", "value", "options", "categorical", "categories", "grid", "discrete"),
    *("grid_search", "_value", "sample_from", "sequence", "ordinal"),
)
WHOLE = ("randint", "qrandint", "lograndint", "integer", "uniformint", "int_range")
LOGS = ("loguniform", "log_uniform", "qloguniform", "reciprocal", "log_float", "lognormal")
REALS = ("uniform", "quniform", "normal", "qnormal", "randn", "range", "bounds", "real", "double")
ENDS = ("low", "high", "min", "max", "lower", "upper", "start", "stop", "minval", "maxval")
BESIDE = ("type", "_type", "distribution", "dist", "step", "q", "base", "default", "name", "when")
DRAWS = (*LISTS, *WHOLE, *LOGS, *REALS)
WORDS = frozenset((*DRAWS, *ENDS, *BESIDE))
NEAR = 0.75  # like choise and choice, not like lag and log


def meant_gene(value: Any) -> str | None:
    """How a gene is written that a mapping without genes in it seems to mean; None if it is none.

    >>> meant_gene({"uniform": [0, 1]}), meant_gene({"choices": [16, 32]}), meant_gene({"x": 1})
    ('{float: [0, 1]}', '{choice: [16, 32]}', None)
    """
    if not isinstance(value, dict) or any(isinstance(inner, dict) for inner in value.values()):
        return None
    keys = {str(key).casefold() for key in value}
    near = _near_kind(value)
    if near:
        return f"{{{near}: {next(iter(value.values()))}}}"
    if not keys <= WORDS or not (keys & set(DRAWS) or len(keys & set(ENDS)) > 1):
        return None
    return f"{{{_kind(keys, value)}: {_range(value)}}}"


def _near_kind(value: Mapping[Any, Any]) -> str | None:
    """The kind that a single key with a list behind it is nearly called."""
    key = str(next(iter(value), "")).casefold()
    if len(value) != 1 or key in WORDS or not isinstance(next(iter(value.values())), list):
        return None
    return next(iter(get_close_matches(key, list(GENE_KINDS), n=1, cutoff=NEAR)), None)


def _kind(keys: set[str], value: Mapping[Any, Any]) -> str:
    said = keys | {str(inner).casefold() for inner in value.values() if isinstance(inner, str)}
    if said & {*LOGS, "log"}:
        return "log"
    if said & {*WHOLE, "int"}:
        return "int"
    return "float" if said & {*REALS, *ENDS, "float"} and "choice" not in said else "choice"


def _range(value: Mapping[Any, Any]) -> Any:
    lists = [inner for inner in value.values() if isinstance(inner, list)]
    ends = [inner for key, inner in value.items() if str(key).casefold() in ENDS]
    return lists[0] if lists else ends[:2] if len(ends) > 1 else "[...]"
