"""Damages of a model folder: what predict, a retraining's beginning and latency make of each.

Each is asked as it is, and with `--trust`, which lets files differ from what evonas wrote: then
whatever result there is counts as right.
"""

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from evonas.delivery.card import card
from evonas.delivery.model_writer import json_text
from evonas.delivery.predict import predict
from evonas.errors import EvonasError
from evonas.exporters.file_names import BLUEPRINT, FACTS, ONNX, SOURCE, WEIGHTS
from evonas.model_folder.model_folder import CHECKSUMS, ModelFolder
from evonas.model_folder.recipe_file import recipe_text
from evonas.models import initialise

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


Ends = tuple[str, Any]  # how, and with which value


def looked_at(folder: Path, image: Path) -> dict[str, Ends]:
    """What the folder gives by each way of reading it, the text of an error if that is it."""
    ways: dict[str, Callable[[bool], Any]] = {
        "predict": lambda trust: predict(folder, [image], trust),
        "retrain": lambda trust: _begun(folder, trust),
        "latency": lambda trust: _weights(folder, trust),
    }
    found = {}
    for name, way in ways.items():
        for key, trust in ((name, False), (f"{name} --trust", True)):
            try:
                found[key] = ("right", way(trust))
            except EvonasError as error:
                found[key] = ("told", str(error))
            except Exception as error:
                found[key] = ("traceback", repr(error))
    return found


def _begun(folder: Path, trust: bool) -> Any:
    """What a retraining reads, written again as its end does; an edited recipe is told."""
    opened = ModelFolder.open(folder, (SOURCE, BLUEPRINT, FACTS), trust)
    recipe = None if opened.has_edited_recipe else opened.recipe.model_dump(mode="json")
    blueprint, facts = opened.mapping(BLUEPRINT), opened.mapping(FACTS)
    initialise(opened.source().network, 0, blueprint["network"].get("initialisation"))
    card(opened.recipe, facts, {"latency": {"ms": 1.0, "pairs": 1}, CHECKSUMS: {}}, None)
    recipe_text(opened.recipe)
    return opened.read(SOURCE), json_text(blueprint), json_text(facts), recipe


def _weights(folder: Path, trust: bool) -> Any:
    opened = ModelFolder.open(folder, (SOURCE, WEIGHTS, ONNX), trust)
    state = opened.trained().network.state_dict()
    return {name: tensor.tolist() for name, tensor in state.items()}, opened.onnx()


def damaged(whole: Path, image: Path, count: int, seed: int = 0) -> Iterator[dict[str, Any]]:
    """A row for each of `count` damages: what it was, and how each way of reading ended."""
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
        ends = {way: _judged(way, end, right[way][1]) for way, end in found.items()}
        texts = {way: found[way][1] for way in ends if ends[way] == "traceback"}
        damage_name = getattr(damage, "__name__", "")
        yield {"damage": damage_name, "what": name, "ends": ends, "texts": texts}


def _judged(way: str, end: Ends, right: Any) -> str:
    verdict, value = end
    if verdict != "right" or value == right or way.endswith("--trust"):
        return verdict
    is_edited = way == "retrain" and value[:3] == right[:3] and value[3] is None
    return "told" if is_edited else "silent"
