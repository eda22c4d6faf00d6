"""A model as a folder of files that need no evonas, read only as they were written.

check.json holds the checksum of every other file that evonas reads. recipe.yaml alone is meant to
be edited; what the weights were trained with, input and classes, has a checksum there as well.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evonas.errors import EvonasError, ExportError
from evonas.exporters.file_names import (
    CHECK,
    FACTS,
    ONNX,
    ONNX_INT8,
    RECIPE,
    SOURCE,
    TRAINING,
    WEIGHTS,
)
from evonas.exporters.model_code import Source, run_source
from evonas.exporters.onnx_file import check_onnx
from evonas.exporters.weights import put_weights, tensors_of
from evonas.key import checksum
from evonas.model_folder.documents import parsed_document, parsed_json
from evonas.model_folder.recipe_file import Recipe, parsed_recipe
from evonas.model_folder.replacement import finish
from evonas.models import Network
from evonas.networks import planned

CHECKSUMS = "sha256"  # in check.json: by file
COMPRESSION = "compression"  # in check.json: how the forms of a compressed model compare
COUNTS = "counts"  # in check.json: parameters and multiply-adds of what is deployed
INTERFACE = "interface"  # in check.json: `Recipe.interface`


@dataclass(frozen=True)
class ModelFolder:
    """An opened model folder.

    `checks` is what check.json says. Without `is_trusted`, a file is refused that is not as evonas
    wrote it.
    """

    path: Path
    recipe: Recipe
    checks: Mapping[str, Any]
    is_trusted: bool = False

    @classmethod
    def open(cls, path: Path, needed: Iterable[str], trust: bool = False) -> "ModelFolder":
        """The folder, if it has a recipe and all files that are needed.

        Raises:
            ExportError: It is no model folder, or damaged.
            SettingsError: The recipe has mistakes.
        """
        path = path.expanduser()
        if not path.is_dir():
            raise ExportError(
                f"There is no model folder {path}. Give one that evonas export wrote."
            )
        finish(path)
        wanted = dict.fromkeys([RECIPE, *needed, *([] if trust else [CHECK])])
        missing = [name for name in wanted if not (path / name).is_file()]
        if missing:
            raise ExportError(
                f"{path} is no whole model folder: it lacks {', '.join(missing)}. Export the "
                "design again, or copy all files that evonas export lists."
            )
        recipe = parsed_recipe(path / RECIPE)
        folder = cls(path, recipe, _checks(path / CHECK, trust), trust)
        folder._check_interface()
        return folder

    def read(self, name: str) -> bytes:
        """What a file holds.

        Raises:
            ExportError: It is not what evonas wrote, or cannot be read.
        """
        file = self.path / name
        try:
            content = file.read_bytes()
        except OSError as problem:
            raise ExportError(f"{file} cannot be read: {problem.strerror}.") from None
        if not self.is_trusted and not self._is_own(name, content):
            raise ExportError(_refusal(file, name))
        return content

    def is_as_written(self, name: str) -> bool:
        """True if evonas wrote the file so; a folder that is trusted may have another one."""
        return self._is_own(name, self.read(name))

    @property
    def has_edited_recipe(self) -> bool:
        """True if recipe.yaml was changed since evonas wrote it, which it is there for."""
        return not self._is_own(RECIPE, (self.path / RECIPE).read_bytes())

    def source(self) -> Source:
        """The network of model.py, with weights of its own making: runs that file.

        Raises:
            ExportError: The file is not evonas's, or does not work.
        """
        recipe = self.recipe
        return run_source(self.read(SOURCE), self.path / SOURCE, recipe.input.shape, recipe.problem)

    def trained(self) -> Source:
        """The network of model.py with the weights of the folder: runs that file.

        Raises:
            ExportError: A file is not evonas's, or they do not fit each other.
        """
        source, file = self.source(), self.path / WEIGHTS
        put_weights(source.network, tensors_of(self.read(WEIGHTS), file), file)
        return source

    def section(self) -> dict[str, Any]:
        """The scaled network section that model.py is built from.

        Raises:
            ExportError: A file is not evonas's, or of an earlier version that wrote no section.
        """
        section: dict[str, Any] | None = self.mapping(FACTS).get("section")
        if section is None:
            raise ExportError(
                f"{self.path / FACTS} is of an earlier evonas and does not say what the network is "
                "built from, which compression and other classes have to know. Export the design "
                "again."
            )
        return section

    def built(self, section: Mapping[str, Any] | None = None) -> Network:
        """The network that model.py is, built by evonas: runs no file. Its weights are fresh.

        Args:
            section: What it is built from in place of the folder's own.

        Raises:
            ExportError: As above.
        """
        try:
            return Network(planned(self.section() if section is None else section))
        except (LookupError, TypeError, ValueError, RuntimeError, EvonasError) as problem:
            raise ExportError(
                f"{self.path / FACTS}: its section does not describe a network "
                f"({type(problem).__name__}: {problem}). Export the design again."
            ) from None

    def built_and_trained(self) -> Network:
        """The same with the weights of the folder.

        Raises:
            ExportError: As above, or the weights are those of another network.
        """
        network, file = self.built(), self.path / WEIGHTS
        put_weights(network, tensors_of(self.read(WEIGHTS), file), file)
        return network

    @property
    def has_fresh_weights(self) -> bool:
        """True if nothing has trained them: of an export at full scale, or without images."""
        origin, mean = self.recipe.origin, self.recipe.input.mean
        is_untrained = not origin.is_trained or (mean is None and origin.weights is None)
        return is_untrained and not (self.path / TRAINING).is_file()

    def check_statistics(self) -> None:
        """Nothing can be done with images of which it is not known how they are normalised.

        Raises:
            ExportError: That is so.
        """
        if self.recipe.input.mean is not None:
            return
        if self.recipe.origin.weights is None:
            raise ExportError("This model was never trained on images. Retrain it first.")
        raise ExportError(
            f"Nobody said how the images of {self.recipe.origin.weights}, whose weights "
            f"{self.path} has, were normalised. Export it again with --mean and --deviation, or "
            "retrain it."
        )

    @property
    def onnx_file(self) -> str:
        """The ONNX model that is deployed: that of 8 bits, where there is one."""
        return ONNX_INT8 if (self.path / ONNX_INT8).is_file() else ONNX

    def onnx(self) -> bytes:
        """The ONNX model that is deployed; tried first where nothing else vouches for it.

        Raises:
            ExportError: It is not what evonas wrote, or does not work.
        """
        content = self.read(self.onnx_file)
        if self.is_trusted and not self._is_own(self.onnx_file, content):
            file = self.path / self.onnx_file
            check_onnx(content, file, self.recipe.input.shape, self.recipe.problem)
        return content

    def mapping(self, name: str) -> dict[str, Any]:
        """What a JSON file holds.

        Raises:
            ExportError: It is not what evonas wrote, or no JSON.
            SettingsError: Its keys or values are not those of that file.
        """
        return parsed_document(self.read(name), self.path / name)

    def _is_own(self, name: str, content: bytes) -> bool:
        return bool(self.checks.get(CHECKSUMS, {}).get(name) == checksum(content))

    def _check_interface(self) -> None:
        if not self.is_trusted and self.checks.get(INTERFACE) != self.recipe.interface:
            raise ExportError(
                f"{self.path / RECIPE}: input or classes are not those that the weights were "
                "trained with. Put the old ones back, or say --trust if they are meant."
            )


def _checks(file: Path, trust: bool) -> Mapping[str, Any]:
    """What check.json says; nothing, if that is damaged and the folder is trusted."""
    try:
        checks = parsed_json(file.read_bytes(), file)
        if isinstance(checks.get(CHECKSUMS), dict):
            return checks
        raise ExportError(
            f"{file} holds no checksums, by which model.py and the weights are known to be those "
            "that evonas wrote. Export the design again, or say --trust if you trust the folder."
        )
    except (OSError, ExportError) as problem:
        if trust:
            return {}
        if isinstance(problem, ExportError):
            raise
        raise ExportError(f"{file} cannot be read: {problem.strerror}.") from None


def _refusal(file: Path, name: str) -> str:
    changed = f"{file} is not as evonas wrote it: its checksum is not that of {CHECK}."
    if name == SOURCE:
        return (
            f"{changed} This file is run, so it may do anything that you may. If you trust it, "
            "say --trust; else export the design again."
        )
    again = ", or retrain it" if name in (WEIGHTS, ONNX, ONNX_INT8) else ""
    return (
        f"{changed} It is damaged, or was changed. Export the design again{again}; if the change "
        "is meant, say --trust."
    )
