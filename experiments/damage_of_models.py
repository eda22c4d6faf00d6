"""Damages of a model folder: what predict and the beginning of a retraining make of each."""

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from evonas.errors import EvonasError
from evonas.exporters.file_names import BLUEPRINT, FACTS, ONNX, SOURCE, WEIGHTS
from evonas.exporters.model_folder import ModelFolder
from evonas.predict import predict

VERDICTS = ("right", "told", "traceback", "silent")
Damage = Callable[[Path, random.Random], None]


def flip(file: Path, rng: random.Random) -> None:
    content = bytearray(file.read_bytes())
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    file.write_bytes(content)


def cut(file: Path, rng: random.Random) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: rng.randrange(len(content))])


def empty(file: Path, rng: random.Random) -> None:
    file.write_bytes(b"")


def remove(file: Path, rng: random.Random) -> None:
    file.unlink()


def fill_with_noise(file: Path, rng: random.Random) -> None:
    file.write_bytes(rng.randbytes(rng.randrange(1, 2000)))


def put_folder(file: Path, rng: random.Random) -> None:
    file.unlink()
    file.mkdir()


def swap(file: Path, rng: random.Random) -> None:
    other = rng.choice([entry for entry in sorted(file.parent.iterdir()) if entry.is_file()])
    content = file.read_bytes()
    file.write_bytes(other.read_bytes())
    other.write_bytes(content)


DAMAGES: tuple[Damage, ...] = (flip, cut, empty, remove, fill_with_noise, put_folder, swap)


def looked_at(folder: Path, image: Path) -> dict[str, Any]:
    """What the folder gives by each way of reading it: an error's text stands for what is told."""
    ways: dict[str, Callable[[], Any]] = {
        "predict": lambda: predict(folder, [image]),
        "retrain": lambda: _begun(folder),
        "latency": lambda: _weights(folder),
    }
    found = {}
    for name, way in ways.items():
        try:
            found[name] = ("right", way())
        except EvonasError as error:
            found[name] = ("told", str(error))
        except Exception as error:
            found[name] = ("traceback", repr(error))
    return found


def _begun(folder: Path) -> Any:
    """All that a retraining reads; an edited recipe is told, and so no part of it."""
    opened = ModelFolder.open(folder, (SOURCE, BLUEPRINT, FACTS))
    recipe = None if opened.has_edited_recipe else opened.recipe.model_dump(mode="json")
    opened.source()
    return opened.read(SOURCE), opened.mapping(BLUEPRINT), opened.mapping(FACTS), recipe


def _weights(folder: Path) -> Any:
    opened = ModelFolder.open(folder, (SOURCE, WEIGHTS, ONNX))
    state = opened.trained().network.state_dict()
    return {name: tensor.tolist() for name, tensor in state.items()}, opened.onnx()


def damaged(whole: Path, image: Path, count: int, seed: int = 0) -> Iterator[dict[str, str]]:
    """A row for each reading of `count` damaged copies: damage, file, way, verdict, text."""
    right = looked_at(whole, image)
    rng = random.Random(seed)
    files = sorted(entry.name for entry in whole.iterdir() if entry.is_file())
    for number in range(count):
        copy = whole.parent / f"damaged-{number}"
        shutil.copytree(whole, copy)
        damage, name = rng.choice(DAMAGES), rng.choice(files)
        damage(copy / name, rng)
        found = looked_at(copy, image)
        shutil.rmtree(copy)
        for way, (verdict, value) in found.items():
            row = {"damage": getattr(damage, "__name__", ""), "file": name, "way": way}
            if verdict != "right":
                yield {**row, "verdict": verdict, "text": value}
            else:
                yield {**row, "verdict": _judged(way, name, value, right[way][1]), "text": ""}


def _judged(way: str, name: str, value: Any, right: Any) -> str:
    if value == right:
        return "right"
    is_edited = way == "retrain" and value[:3] == right[:3] and value[3] is None
    return "told" if is_edited else "silent"


def tally(rows: Iterator[dict[str, str]]) -> dict[str, int]:
    """How many readings there were of each verdict."""
    verdicts = [row["verdict"] for row in rows]
    counts = {verdict: verdicts.count(verdict) for verdict in VERDICTS}
    return {"tried": len(verdicts), **counts}
