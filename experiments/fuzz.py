"""Settings and spaces of nonsense: each is accepted, or refused with a message.

A case is a few words with odd values for any setting, or a shipped space in which a few places
were changed; both are checked as a search checks them before it trains. `refused`: an EvonasError;
`traceback`: any other exception; `hang`: no answer in ten seconds of a processor, or a minute.
"""

import contextlib
import copy
import io
import random
import signal
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import yaml
from pydantic import BaseModel
from record import parser, report

from evonas.driver.preparation import check
from evonas.errors import EvonasError
from evonas.settings import Settings
from evonas.settings.words import Words
from evonas.space import known_spaces, load_space
from evonas.space.check import check_space
from evonas.space.document import document_of
from evonas.space.load import load_space_file, space_of

PATIENCE_S = 10  # of a processor
WAIT_S = 60
SHOWN = 20  # faults that are told

NASTY: tuple[Any, ...] = (
    *(0, 1, -1, 2, 3, 7, 100, 2**31, 2**53, 2**63, 2**64, 10**18, 10**30, -(10**18)),
    *(0.5, 1.0, -0.0, 1e-320, 1e308, -1e308, 1e-9, float("nan"), float("inf"), float("-inf")),
    *(True, False, None, "", " ", "none", "auto", "all", "nan", "1e999", "0x", "010", "1:30", "~"),
    *("ä", "日本", "\U0001f600", "\ud800", "a\x00b", "\x1b[31m", "a\nb", "a" * 5000, "../..", "/"),
    *("=", "a=b", "a:b:c", "a:min,a:min", "accuracy", "macs:max", "{}", "[]", "${HOME}", "*", "&a"),
    *([], {}, [[]], [None], [1, 2], [1, [2, {}]], {"": 1}, {"choice": []}, {"int": [0, 10**18]}),
    {"choice": [1, 1.0, True]},
    {"choice": [3, 5], "when": {"x": 1}},
    {"float": [0, 1e308]},
    {"log": [1e-320, 1]},
    {"int": [1, 10**9]},
    {"range": [1, 2]},
    {"repeat": 10**7},
)
NAMES = (
    "repeat",
    "when",
    "choice",
    "int",
    "operation",
    "layers",
    "channels",
    "times",
    "x",
    "é",
    "",
)


class Hang(BaseException):
    """The patience has ended; no handler of errors takes it."""


def setting_keys(group: type[BaseModel], path: str = "") -> Iterator[str]:
    """Every key of the settings, dotted."""
    for name, field in group.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from setting_keys(inner, f"{path}{name}.")
        else:
            yield path + name


KEYS = tuple(setting_keys(Settings))


def words_case(rng: random.Random) -> list[str]:
    """Words of a small search, up to four of them odd. A training's data stay small."""
    words = ["space=nano", "executor=inline", "data=synthetic", "data.synthetic.images=40"]
    keys = [key for key in KEYS if not key.startswith("data.synthetic")]
    if rng.random() < 0.5:
        words += ["evaluator=python", "evaluator.function=math:sqrt", "objectives=y:min"]
        keys = list(KEYS)
    for key in rng.sample(keys, rng.choice([1, 1, 2, 4])):
        key = key if rng.random() < 0.9 else f"{key}{rng.choice(['.', '.x', 'x', '=', ''])}"
        words.append(f"{key}={rng.choice(NASTY)}")
    return words


def check_words(words: list[str]) -> None:
    """As a search does before it begins."""
    check(Words(words))


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each list or mapping inside with each of its keys."""
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])


def space_case(rng: random.Random) -> dict[str, Any]:
    """A shipped space, one to three of its places changed."""
    space: dict[str, Any] = copy.deepcopy(rng.choice(SHIPPED))
    for _ in range(rng.randint(1, 3)):
        CHANGES[rng.choice(list(CHANGES))](space, rng)
    return space


def _exchange(space: dict[str, Any], rng: random.Random) -> None:
    holder, key = rng.choice(list(_places(space)))
    holder[key] = copy.deepcopy(rng.choice(NASTY))


def _add(space: dict[str, Any], rng: random.Random) -> None:
    holder, _ = rng.choice([place for place in _places(space) if isinstance(place[0], dict)])
    holder[rng.choice(NAMES)] = copy.deepcopy(rng.choice(NASTY))


def _leave_out(space: dict[str, Any], rng: random.Random) -> None:
    holder, key = rng.choice(list(_places(space)))
    del holder[key]


def _nest(space: dict[str, Any], rng: random.Random) -> None:
    holder, key = rng.choice(list(_places(space)))
    for _ in range(rng.choice([1, 2, 50, 120, 200])):
        holder[key] = rng.choice([[holder[key]], {rng.choice(NAMES): holder[key]}])


def _swap(space: dict[str, Any], rng: random.Random) -> None:
    (first, key), (second, other) = rng.sample(list(_places(space)), 2)
    first[key], second[other] = copy.deepcopy(second[other]), copy.deepcopy(first[key])


def _repeat(space: dict[str, Any], rng: random.Random) -> None:
    places = [(h, k) for h, k in _places(space) if isinstance(h, list) and isinstance(h[k], dict)]
    if places:
        holder, key = rng.choice(places)
        holder[key]["repeat"] = rng.choice([2, 50, 3000, 10**7, 10**18, *NASTY])


Change = Callable[[dict[str, Any], random.Random], None]
CHANGES: dict[str, Change] = {
    "exchange": _exchange,
    "add": _add,
    "leave out": _leave_out,
    "nest": _nest,
    "swap": _swap,
    "repeat": _repeat,
}
SHIPPED = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in known_spaces().values()]


def check_written(space: dict[str, Any]) -> None:
    """The space from a file and from Python: read, checked, counted, and three of it decoded."""
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(EvonasError):
        file = Path(folder) / "odd.yaml"
        file.write_bytes(_as_yaml(space))
        load_space_file(file)
    found = space_of(document_of(space, "odd"))
    check_space(found)
    assert found.size > 0
    rng = np.random.default_rng(0)
    for _ in range(3):
        found.canonical(found.sample(rng))


def _as_yaml(space: dict[str, Any]) -> bytes:
    """As a file has it; PyYAML's writer gives up where the reader is to refuse."""
    try:
        return yaml.safe_dump(space, allow_unicode=True).encode("utf-8", "surrogatepass")
    except RecursionError:
        return b"network: " + b"[" * 5000


def verdict(case: Any, checked: Callable[[Any], None]) -> tuple[str, str]:
    """What came of a case, and what is to be told of it."""
    before = {each: signal.signal(each, _ended) for each in (signal.SIGALRM, signal.SIGPROF)}
    signal.setitimer(signal.ITIMER_PROF, PATIENCE_S)
    signal.alarm(WAIT_S)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            checked(case)
    except EvonasError:
        return "refused", ""
    except Hang:
        return "hang", traceback.format_exc(limit=-4)
    except Exception:
        return "traceback", traceback.format_exc(limit=-4)
    finally:
        signal.alarm(0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        for each, handler in before.items():
            signal.signal(each, handler)
    return "accepted", ""


def _ended(*_: Any) -> NoReturn:
    raise Hang


KINDS: dict[str, tuple[Callable[[random.Random], Any], Callable[[Any], None]]] = {
    "words": (words_case, check_words),
    "space": (space_case, check_written),
}


def main() -> None:
    words = parser(__doc__)
    words.add_argument("--cases", type=int, default=400, help="how many, half of each kind")
    words.add_argument("--seed", type=int, default=0)
    given = words.parse_args()
    assert load_space("nano").size > 0
    verdicts: Counter[str] = Counter()
    faults = []
    for number in range(given.cases):
        kind = tuple(KINDS)[number % len(KINDS)]
        make, checked = KINDS[kind]
        case = make(random.Random(f"{given.seed} {number}"))
        result, told = verdict(case, checked)
        verdicts[result] += 1
        if told:
            faults.append(f"{kind} {number}: {told} {str(case)[:2000]!a}")
    counts = {key: verdicts[key] for key in ("refused", "accepted", "traceback", "hang")}
    report(given, {"cases": given.cases, **counts, "faults": faults[:SHOWN]})


if __name__ == "__main__":
    main()
