"""A run as its users see it: read from its folder, whatever state that is in."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evonas.errors import RunError, SettingsError
from evonas.evaluation.objectives import Objective, parse_objective
from evonas.runs.ledger import Damaged, Ledger, damage_told
from evonas.runs.lock import is_locked
from evonas.runs.noise import Noise
from evonas.runs.records import Records
from evonas.runs.run_folder import DATABASE, SPACE
from evonas.settings import Settings
from evonas.space import Scale, SearchSpace
from evonas.space.document import space_name
from evonas.space.load import load_space_file
from evonas.space.run_scales import run_scales
from evonas.trial import Outcome, Trial


@dataclass(frozen=True)
class Run:
    """One run, as far as it has come.

    `facts` are those of the ledger: device, reference time, data, why it ended. `sessions` are
    (workers, seconds) of each time that a driver worked on it.
    """

    folder: Path
    settings: Settings
    space: SearchSpace
    records: Records
    facts: dict[str, Any]
    sessions: list[tuple[int, float]]

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def noise(self) -> Noise:
        """By how much its figures may be off."""
        data = self.facts.get("data") or {}
        return Noise(self.records, self.settings, data.get("validation_images"))

    @property
    def front(self) -> list[tuple[Trial, Outcome]]:
        """The non-dominated trials that can be told apart, best in the first objective first.

        `alike` has the others: a difference to one of these may be luck. `records.front` has both.
        """
        return [self.pair(number) for number in self.noise.apart(self.records.front)]

    @property
    def alike(self) -> dict[int, int]:
        """Non-dominated trials that cannot be told from one of `front`, each with that one."""
        return self.noise.stand_ins(self.records.front)

    @property
    def knee(self) -> tuple[Trial, Outcome] | None:
        """The member of `front` that gives up least of everything; without a knee its first."""
        front = self.noise.apart(self.records.front)
        if not front:
            return None
        number = self.noise.knee(front)
        return self.pair(front[0] if number is None else number)

    @property
    def best(self) -> tuple[Trial, Outcome] | None:
        """The best trial of the first objective among the feasible ones, if there are any."""
        number = self.records.best
        return None if number is None else self.pair(number)

    def trials(self) -> list[tuple[Trial, Outcome | None]]:
        """All trials by number, None for those in flight."""
        return [(t, self.records.outcomes.get(n)) for n, t in sorted(self.records.trials.items())]

    def pair(self, number: int) -> tuple[Trial, Outcome]:
        """A finished trial and its outcome.

        Raises:
            RunError: There is no such trial, or it is not finished.
        """
        if number not in self.records.trials:
            last = len(self.records.trials) - 1
            raise RunError(f"Run {self.name} has no trial {number}. Its trials are 0 to {last}.")
        if number not in self.records.outcomes:
            raise RunError(f"Trial {number} of run {self.name} is not finished.")
        return self.records.trials[number], self.records.outcomes[number]

    def frame(self) -> Any:
        """All trials as a pandas table: number, status, measures, genes.

        Raises:
            RunError: The package pandas is not installed.
        """
        try:
            import pandas
        except ModuleNotFoundError:
            raise RunError(
                "Run.frame needs pandas, which is not installed. Install it by pip install "
                "'evonas[frame]'."
            ) from None

        return pandas.DataFrame(self.rows())

    def rows(self) -> list[dict[str, Any]]:
        """All trials as flat mappings, for tables: `m:` before measures, `g:` before genes."""
        rows = []
        for trial, outcome in self.trials():
            genes = self.space.alleles(trial.chromosome)
            rows.append(
                {
                    "number": trial.number,
                    "status": outcome.status if outcome else "running",
                    "fingerprint": trial.blueprint.fingerprint,
                    "operator": trial.operator,
                    "rung": trial.rung,
                    "continues": trial.continues,
                    "confirms": trial.confirms,
                    "parents": " ".join(map(str, trial.parents)),
                    "seconds": outcome.seconds if outcome else None,
                    "error": outcome.error_kind if outcome else None,
                    **{f"m:{name}": v for name, v in (outcome.measures if outcome else {}).items()},
                    **{f"g:{name}": allele for name, allele in genes.items()},
                }
            )
        return rows

    @property
    def status(self) -> str:
        """running, finished or interrupted."""
        if is_locked(self.folder):
            return "running"
        return "finished" if self.facts.get("ended") else "interrupted"

    @property
    def seconds(self) -> float:
        """Wall-clock seconds that drivers worked on it, without start-up."""
        return sum(seconds for _, seconds in self.sessions)

    @property
    def utilisation(self) -> float | None:
        """Busy worker seconds over workers x wall-clock seconds; None before the first outcome."""
        offered = sum(workers * seconds for workers, seconds in self.sessions)
        busy = sum(outcome.busy_seconds for outcome in self.records.outcomes.values())
        return busy / offered if offered > 0 else None

    @property
    def scales(self) -> tuple[Scale, Scale]:
        """Proxy and full scale of the networks, with this run's data and settings.

        Raises:
            RunError: It searched no networks.
        """
        if not self.space.has_network:
            raise RunError(f"Run {self.name} searched values, not networks: it has no scales.")
        return run_scales(self.space, self.settings, self.facts["data"])


def load_run(path: str | Path) -> Run:
    """The run in a folder.

    Raises:
        RunError: There is none, or it does not hold together.
    """
    folder = Path(path).expanduser()
    with Ledger.read(folder / DATABASE) as ledger:
        return read_run(folder, ledger)


def read_run(folder: Path, ledger: Ledger, space: SearchSpace | None = None) -> Run:
    """The run behind an open ledger, as it is at one moment.

    Args:
        space: What it searches; read from its folder if not given.

    Raises:
        RunError: Its space file is not the one it was made with.
    """
    with damage_told(ledger.path), ledger.snapshot():
        return _read(folder, ledger, space)


def _read(folder: Path, ledger: Ledger, space: SearchSpace | None) -> Run:
    facts = ledger.meta()
    settings = Settings.model_validate(facts["settings"])
    space = space or load_space_file(folder / SPACE, space_name(settings.space))
    if space.fingerprint != facts["space"]:
        raise RunError(
            f"Run {folder.name} was made with another space (fingerprint {facts['space'][:4]}, "
            f"now {space.fingerprint[:4]}). Resume with the old file, or start a new run."
        )
    objectives = parse_objectives(settings)
    records = Records(objectives, settings.constraints)
    for trial, seen in ledger.trials():
        if len(trial.chromosome) != len(space.genes):
            raise Damaged(f"trial {trial.number} is of another space")
        records.add_trial(trial, seen)
    for outcome in ledger.outcomes():
        if outcome.number not in records.trials:
            raise Damaged(f"trial {outcome.number} is missing")
        records.add_outcome(outcome)
    for trial in records.trials.values():
        _check_kin(trial, records)
    if facts.get("reference_point"):
        records.volume.reference_point = tuple(facts["reference_point"])
    return Run(folder, settings, space, records, facts, ledger.sessions())


def _check_kin(trial: Trial, records: Records) -> None:
    """Of what a trial refers to nothing may be missing."""
    outcome = records.outcomes.get(trial.number)
    beside = () if outcome is None else (outcome.source, outcome.notes.training_of)
    for other in (*trial.parents, trial.continues, trial.confirms, *beside):
        if other is not None and other not in records.trials:
            raise Damaged(f"trial {other} is missing, to which trial {trial.number} refers")


def parse_objectives(settings: Settings) -> tuple[Objective, ...]:
    """The objectives that the settings name.

    Raises:
        SettingsError: With all problems.
    """
    is_open = not settings.evaluator.trains
    objectives, problems = [], []
    for text in settings.objectives:
        try:
            objectives.append(parse_objective(text, is_open))
        except SettingsError as problem:
            problems += problem.problems
    if len({objective.name for objective in objectives}) < len(objectives):
        problems.append(f"objectives: {','.join(settings.objectives)} names one twice. Keep one.")
    if problems:
        raise SettingsError(problems)
    return tuple(objectives)
