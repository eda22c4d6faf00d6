"""What words may change when a run goes on."""

from collections.abc import Iterable

from evonas.errors import RunError, SettingsError
from evonas.runs.run import Run
from evonas.settings import CHANGEABLE_ON_RESUME, Settings, Words

FINALISTS = 3  # trained again where nothing says how many


def resumed_settings(settings: Settings, given: Iterable[str]) -> Settings:
    """The settings of a run with the words of a resume laid over them.

    Raises:
        SettingsError: A word would change what the run searches, or is wrong.
    """
    given = [_added(word, settings) for word in given]
    old = settings.to_dict()
    words = Words(given, defaults=old)
    changed, problems = words.read()
    new = changed.to_dict()
    moved = {"path": new["data"]["path"]}  # whether it is the same is seen when it is read
    old = {**old, "data": old["data"] | moved}
    for key in old:
        if key not in CHANGEABLE_ON_RESUME and new[key] != old[key]:
            keys = [k for k in words.origins if k[0] == key and words.origins[k]]
            shown = ", ".join(words.origins[k] for k in keys)
            problems.append(
                f"{shown}: a resume cannot change {key}, which is part of what the run searches. "
                f"It may change {', '.join(CHANGEABLE_ON_RESUME)}; for more, start a new run."
            )
    if problems:
        raise SettingsError(problems)
    return changed


def confirming(run: Run, top: int | None, seeds: int | None) -> list[str]:
    """Words by which a run searches no further, and trains its finalists again.

    Args:
        top: Designs; None: as many as the run says, or three.
        seeds: Trainings of each in all, with those that are done; None: as the run says.

    Raises:
        RunError: There is no design to train again.
    """
    if not run.records.feasible:
        raise RunError(
            f"Run {run.name} has no complete design that keeps its constraints, so there is "
            f"nothing to confirm. Go on with the search: evonas resume {run.name}"
        )
    settings = run.settings.confirm
    top = top or settings.top or FINALISTS
    seeds = seeds or settings.seeds
    spent = run.records.evaluations + len(run.records.unfinished)
    limits = [] if run.settings.budget.seconds is None else ["budget.seconds=null"]
    return [
        *(f"confirm.top={top}", f"confirm.seeds={seeds}"),
        *(f"budget.evaluations={spent + top * seeds}", *limits),
    ]


def _added(word: str, settings: Settings) -> str:
    """`budget.evaluations=+50` as the sum it means."""
    key, _, value = word.partition("=")
    if key == "budget.evaluations" and value.startswith("+") and value[1:].isdigit():
        return f"{key}={settings.budget.evaluations + int(value[1:])}"
    return word
