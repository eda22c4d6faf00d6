"""What this machine offers a search, found out by trying each part once."""

import os
import shutil
import statistics
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import torch

from evonas.cache_folder import cache_folder
from evonas.data.cache import load_data
from evonas.data.dataset import Fault, LabelFaults
from evonas.driver import search
from evonas.driver.preparation import Checked, check
from evonas.errors import EvonasError
from evonas.evaluation.segments import expected_epochs
from evonas.executors.packing import Packing, slots_of
from evonas.hardware.device import products_of_8_bits, usable_cores
from evonas.hardware.latency import clock_noise
from evonas.hardware.runtimes import RUNTIMES
from evonas.reports.data import data_lines
from evonas.reports.format import duration, number
from evonas.runs.run import Run
from evonas.runs.run_folder import DATABASE
from evonas.settings import Settings, Words
from evonas.tasks import task_of
from evonas.trial import Outcome

TRIALS = 2
KEPT_WEIGHTS = 30  # about as many as a search keeps: its front, its best and what is in flight


@dataclass(frozen=True)
class Check:
    """One thing looked at: whether a search can rely on it, and what there is to know."""

    name: str
    ok: bool
    detail: str


def examine(words: Iterable[str] = ()) -> Iterator[Check]:
    """The checks one after the other, for the search that these words would start.

    Raises:
        SettingsError: The words are wrong.
    """
    given = list(words)
    try:
        checked = check(Words(given))
    except LabelFaults as problem:  # what else the machine offers has to wait for the labels
        yield from _labels(problem.faults)
        return
    settings = checked.settings
    packages = ("evonas", "torch", "onnxruntime")
    yield Check("versions", True, ", ".join(f"{name} {version(name)}" for name in packages))
    yield Check("cores", True, _cores(settings))
    yield _gpu(settings)
    yield _runtimes(settings)
    yield Check("int8", True, _int8())
    if settings.evaluator.trains:
        yield _attempt("data", lambda: _data(checked))
        yield from _findings(checked)
        yield from _labels(checked.data.faults if checked.data else ())
        yield _attempt("clock", lambda: _clock(settings))
    with tempfile.TemporaryDirectory() as folder:
        yield from _trials(given, checked, Path(folder))


def _attempt(name: str, look: Callable[[], Check]) -> Check:
    """The check, or why it came to nothing."""
    try:
        return look()
    except (EvonasError, OSError) as error:
        return Check(name, False, str(error))


def _cores(settings: Settings) -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    workers = settings.executor.workers or usable_cores()
    return (
        f"{usable_cores()} of {os.cpu_count()} cores usable, {memory:.0f} GiB of memory; "
        f"{workers} workers of one thread each"
    )


def _gpu(settings: Settings) -> Check:
    if not torch.cuda.is_available():
        return Check("gpu", True, "none, and none asked")  # one that is asked for was refused
    wanted = settings.executor.gpus_per_trial != 0
    free, total = torch.cuda.mem_get_info()
    share = f"executor.gpus_per_trial={settings.executor.gpus_per_trial}"
    use = f"used by trials ({share})" if wanted else "not used: executor.gpus_per_trial is 0"
    name = torch.cuda.get_device_name()
    return Check("gpu", True, f"{name}, {free / 2**30:.0f} of {total / 2**30:.0f} GiB free; {use}")


def _runtimes(settings: Settings) -> Check:
    missing = {name: runtime.lack() for name, runtime in RUNTIMES.items()}
    here = [name for name, reason in missing.items() if reason is None]
    chosen = settings.latency.runtime
    reason = missing[chosen]
    detail = f"{', '.join(here)}; latency.runtime={chosen}"
    return Check("runtimes", reason is None, detail if reason is None else f"{detail}: {reason}")


def _int8() -> str:
    products = products_of_8_bits()
    if products is None:
        return "no avx512_vnni, avx_vnni or asimddp: int8 models have weights of 7 bits here"
    return f"{products}: int8 models have weights of 8 bits"


def _data(checked: Checked) -> Check:
    settings, side = checked.settings.data, checked.space.scales["proxy"].resolution_px
    data = load_data(settings, side)
    told = data_lines(settings, replace(data, faults=()))  # faults have checks of their own
    lines = " ".join(told).removeprefix("Data ")
    free = shutil.disk_usage(cache_folder("data")).free / 2**30
    return Check(
        "data",
        free > 1,
        f"{lines} Read at {side} px and cached in {cache_folder('data')}, {free:.0f} GiB free",
    )


def _findings(checked: Checked) -> Iterator[Check]:
    """What the task says of the targets that are learnt."""
    with suppress(EvonasError, OSError):  # told by the check of the data
        data = load_data(checked.settings.data, checked.space.scales["proxy"].resolution_px)
        for name, told in task_of(data.problem).findings(
            data.train.targets, checked.settings.training
        ):
            yield Check(name, True, told)


def _labels(faults: Iterable[Fault]) -> Iterator[Check]:
    """Each kind of fault, with the first places."""
    for fault in faults:
        more = fault.count - len(fault.places)
        places = [*fault.places, *([f"and {more:,} more"] if more else ())]
        detail = f"{fault.count:,} {fault.kind}: {'; '.join(places)}"
        yield Check("labels", not fault.stops, detail)


def _clock(settings: Settings) -> Check:
    noise = clock_noise(settings.latency)
    bound = settings.latency.spread
    detail = f"the same network measured twice differs by {100 * noise:.1f} %"
    if noise > 2 * bound:
        detail += f", more than latency.spread={bound:g} promises: something else uses this device"
    return Check("clock", noise <= 2 * bound, detail)


def _trials(given: Sequence[str], checked: Checked, folder: Path) -> Iterator[Check]:
    """Two trials of one epoch, through the executor and the ledger, and what they tell."""
    settings = checked.settings
    own = [f"budget.evaluations={TRIALS}", f"run.folder={folder}", "run.name=trial", "display=none"]
    if settings.evaluator.trains:
        own += ["training.epochs=1", "fidelity.rungs=", "constraints.train_seconds.min=0"]
    try:
        run = search([*given, *own])
    except (EvonasError, OSError, RuntimeError) as error:
        yield Check("trial", False, str(error))
        return
    outcomes = [outcome for _, outcome in run.trials() if outcome is not None]
    failed = next((outcome for outcome in outcomes if outcome.status == "failed"), None)
    complete = [outcome for outcome in outcomes if outcome.status == "complete"]
    if failed is not None or not complete:
        text = failed.error_text if failed else run.facts["ended"]
        yield Check("trial", False, str(text).splitlines()[0])
        return
    where = f"{settings.evaluator.name} through {settings.executor.name}"
    yield Check("trial", True, f"{len(complete)} trials, {where}, in {duration(run.seconds)}")
    if settings.evaluator.trains:
        yield _speed(checked, run)
    yield Check("estimate", True, _estimate(checked, run))


def _speed(checked: Checked, run: Run) -> Check:
    side = checked.space.scales["proxy"].resolution_px
    per_s = len(load_data(checked.settings.data, side).train) / _mean(run, "train_seconds")
    return Check("speed", True, f"{number(per_s)} training images per second in each worker")


def _estimate(checked: Checked, run: Run) -> str:
    """Time and disk of the whole search, from those of the trials."""
    settings = checked.settings
    outcomes = [outcome for _, outcome in run.trials() if outcome is not None]
    seconds = statistics.mean(outcome.busy_seconds for outcome in outcomes)
    if settings.evaluator.trains:
        epoch_s = _mean(run, "train_seconds")
        side = checked.space.scales["proxy"].resolution_px
        epochs = expected_epochs(settings.fidelity, settings.training, side)
        seconds = max(0.0, seconds - epoch_s) + epoch_s * epochs
    total = seconds * settings.budget.evaluations / _at_once(settings, outcomes)
    if settings.budget.seconds is not None:
        total = min(total, settings.budget.seconds)
    ledger = (run.folder / DATABASE).stat().st_size / len(outcomes)
    weights = [file.stat().st_size for file in run.folder.glob("trials/*/*")]
    disk = ledger * settings.budget.evaluations
    disk += statistics.mean(weights or [0]) * min(KEPT_WEIGHTS, settings.budget.evaluations)
    return (
        f"{settings.budget.evaluations} evaluations take about {duration(total)} and "
        f"{max(1, disk / 2**20):.0f} MiB"
    )


def _at_once(settings: Settings, outcomes: Iterable[Outcome]) -> int:
    """Trials that run at a time: one on each worker, if the GPUs that they need have room."""
    workers = settings.executor.workers or usable_cores()
    slots = slots_of(workers, torch.cuda.device_count())
    packing = Packing(settings.executor.gpus_per_trial, slots)
    for outcome in outcomes:
        packing.learn(outcome.notes.gpu_memory_share)
    return sum(packing.place(number) is not None for number in range(workers))


def _mean(run: Run, measure: str) -> float:
    values = [
        outcome.measures[measure]
        for _, outcome in run.trials()
        if outcome is not None and measure in outcome.measures
    ]
    return statistics.mean(values)
