"""How many trials a GPU takes, worked out without one."""

import itertools

import pytest
import torch

from evonas.errors import ExecutorError
from evonas.executors.local_executor import LocalExecutor, visible_gpu
from evonas.executors.packing import STEPS, Packing, Place, fits, share_of, slots_of
from evonas.settings import ExecutorSettings


def running_at_once(packing: Packing) -> int:
    """How many trials get a place before one is told to wait."""
    return next(number for number in itertools.count() if packing.place(number) is None)


@pytest.mark.parametrize(
    ("peak", "share"),
    [
        (None, 1.0),  # nothing was measured
        (0.0001, 1 / 16),
        (1 / 16 / 1.3, 1 / 16),
        (0.05, 2 / 16),  # 0.065 is more than one sixteenth
        (0.3, 7 / 16),  # 0.39
        (0.8, 1.0),  # 1.04
    ],
)
def test_a_share_is_the_peak_and_a_margin_in_sixteenths(peak: float | None, share: float) -> None:
    assert share_of(peak) == share


def test_a_share_always_covers_the_peak_and_grows_with_it() -> None:
    shares = [share_of(step / 1000) for step in range(1, 1000)]
    assert shares == sorted(shares)
    assert all(share * STEPS == int(share * STEPS) for share in shares)
    assert all(share >= step / 1000 for step, share in enumerate(shares, 1))


@pytest.mark.parametrize(
    ("peak", "at_once"), [(None, 1), (0.9, 1), (0.38, 2), (0.1, 5), (0.01, 16)]
)
def test_as_many_trials_run_on_a_gpu_as_their_shares_allow(
    peak: float | None, at_once: int
) -> None:
    packing = Packing("auto", [100])
    if peak is not None:
        packing.learn(peak)
    assert running_at_once(packing) == at_once


def test_the_highest_peak_counts() -> None:
    packing = Packing("auto", [100])
    packing.learn(None)
    assert packing.share == 1
    for peak in (0.2, 0.4, 0.1):
        packing.learn(peak)
    assert packing.share == share_of(0.4)


def test_trials_go_to_the_emptiest_gpu_and_no_more_than_it_has_workers() -> None:
    packing = Packing(0.25, slots_of(5, 2))
    places = [packing.place(number) for number in range(6)]
    assert [place and place.gpu for place in places] == [0, 1, 0, 1, 0, None]
    packing.leave(1)
    assert packing.place(6) == Place(1, 0.25)


def test_a_trial_alone_waits_for_an_empty_gpu_and_lets_none_beside_it() -> None:
    packing = Packing(0.5, [4])
    packing.place(0)
    assert packing.place(1, alone=True) is None
    packing.leave(0)
    assert packing.place(1, alone=True) == Place(0, 1.0)
    assert not packing.is_shared(1)
    assert packing.place(2) is None
    packing.leave(1)
    assert packing.place(2) == Place(0, 0.5)
    assert packing.is_shared(2)


@pytest.mark.parametrize(("wanted", "at_once"), [(2.0, 1), (1.0, 1), (0.5, 2), (0.3, 3), (0.1, 10)])
def test_a_given_share_is_kept_whatever_was_measured(wanted: float, at_once: int) -> None:
    packing = Packing(wanted, [100])
    packing.learn(0.9)
    assert running_at_once(packing) == at_once


def test_without_gpus_everything_has_room_and_nothing_is_shared() -> None:
    packing = Packing()
    assert all(packing.place(number) == Place(0, 0.0) for number in range(100))
    assert not packing.is_shared(7)


def test_a_gpu_is_full_when_its_slots_or_its_memory_are() -> None:
    assert fits([0.25, 0.25], 0.5, slots=3)
    assert not fits([0.25, 0.5], 0.5, slots=3)
    assert not fits([0.25, 0.25], 0.25, slots=2)


def test_workers_are_dealt_out_to_the_gpus() -> None:
    assert slots_of(5, 2) == [3, 2]
    assert slots_of(2, 8) == [1, 1], "no GPU without a worker can take a trial"
    assert [visible_gpu(gpu, "5, 7") for gpu in (0, 1)] == ["5", "7"]


def test_the_setting_takes_a_share_or_auto() -> None:
    assert ExecutorSettings(gpus_per_trial="auto").gpus_per_trial == "auto"
    assert ExecutorSettings(gpus_per_trial="0.25").gpus_per_trial == 0.25
    with pytest.raises(ValueError, match="auto"):
        ExecutorSettings(gpus_per_trial="some")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("wanted", ["auto", 0.5])
def test_local_workers_without_a_gpu_are_told_so(wanted: float | str) -> None:
    settings = ExecutorSettings(name="local", gpus_per_trial=wanted)
    with pytest.raises(ExecutorError, match=f"gpus_per_trial={wanted} asks for a GPU"):
        LocalExecutor(print, settings, 1).__enter__()
