"""Where the words of a `data.yaml` lead."""

import os
from pathlib import Path

from evonas.data.detection.label_records import part_in
from evonas.data.detection.yolo_set import YoloSet
from evonas.data.walk import Walk


class Places:
    """Where the words of a `data.yaml` and of its lists lead, in the data set's folder."""

    def __init__(self, root: Path, own: YoloSet, found: Walk) -> None:
        self.root = root
        self.bases = (own.file.parent / own.base, own.file.parent, root)
        self.known = set(found.files)
        for file in found.files:
            for folder in file.parents:
                if folder in self.known:
                    break
                self.known.add(folder)

    def find(self, word: str, *bases: Path) -> Path | None:
        """The file or folder: seen from these, from the file's own, or moved here as a whole.

        Sets are moved, and tools write `../train/images` that mean `train/images`: then the last
        parts of the word are looked for.
        """
        text = word.strip().replace("\\", "/")
        ways = [Path(os.path.normpath(base / text)) for base in (*bases, *self.bases)]
        parts = [part for part in Path(text).parts if part not in ("..", ".", "/")]
        tails = [Path(*parts[start:]) for start in range(len(parts))]
        # Of `../test/images` no `images` that has all others: it has to be of the same part.
        ways += [self.root / tail for tail in tails if part_in(str(tail)) == part_in(text)]
        return next((way for way in ways if way in self.known and self._is_inside(way)), None)

    def _is_inside(self, way: Path) -> bool:
        return way == self.root or self.root in way.parents

    def outside(self, word: str) -> Path | None:
        """Where the word leads if that is a place beyond the folder."""
        ways = (Path(os.path.normpath(base / word)) for base in self.bases)
        beyond = (way for way in ways if not self._is_inside(way))
        return next((way for way in beyond if os.path.exists(way)), None)
