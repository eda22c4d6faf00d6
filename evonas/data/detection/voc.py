"""Labels of Pascal VOC: an XML file an image."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from evonas.data.data_files import read_bytes, read_text
from evonas.data.detection.faults import Faults
from evonas.data.detection.label_numbers import finite
from evonas.data.detection.label_records import Labelled, LabelledBox, Labels, part_of, size_of
from evonas.data.layout import PARTS, class_name, is_image_name
from evonas.data.walk import Walk
from evonas.errors import DataError

CORNERS = ("xmin", "ymin", "xmax", "ymax")
IMAGE_FOLDERS = ("JPEGImages", "images", "Images")  # beside the folder of the labels
LISTS = ("ImageSets", "Main")
SNIFFED = 4096  # bytes of a file that show what it is


def fits_voc(found: Walk) -> bool:
    """True if there are XML files of annotations."""
    file = next(filter(is_xml, found.files), None)
    return file is not None and b"<annotation" in read_bytes(file)[:SNIFFED]


def is_xml(file: Path) -> bool:
    """True of the suffix of labels."""
    return file.suffix.lower() == ".xml"


def read_voc(root: Path, found: Walk, faults: Faults) -> Labels:
    """`Annotations/*.xml` with lists in `ImageSets/Main`, or XML files in folders of the parts.

    Raises:
        DataError: There are lists of several sets, or lists without one to train on.
    """
    base, lists = _lists(root, found)
    files = [file for file in found.files if base in file.parents]
    xmls = {file: part_of(file.relative_to(root)) for file in files if is_xml(file)}
    images = {file.with_suffix(""): file for file in files if is_image_name(file)}
    entries = list(_listed(lists, xmls, faults) if lists else _by_folder(xmls, faults))
    read = {file: _labelled(file, images, faults) for _, file in entries}
    parts: dict[str, list[Labelled]] = defaultdict(list)
    for part, file in entries:
        labelled = read[file]
        if labelled is not None:
            parts[part].append(labelled)
    named = {file.stem for file in xmls}
    for bare, image in images.items():
        if bare.name not in named:
            faults.note("unlabelled", str(image))
    return Labels((), parts)


def _lists(root: Path, found: Walk) -> tuple[Path, dict[str, Path]]:
    """The folder of the set, and the list of each part; without lists all of `root`."""
    known = {**PARTS, "trainval": "trainval"}
    lists: dict[Path, dict[str, Path]] = defaultdict(dict)
    for file in found.files:
        part = known.get(file.stem.lower())
        if part and file.suffix == ".txt" and file.parent.parts[-2:] == LISTS:
            lists[file.parent.parent.parent][part] = file
    if not lists:
        return root, {}
    if len(lists) > 1:
        raise DataError(
            f"{root} has several VOC sets: {', '.join(map(str, lists))}. Name one by data.path=."
        )
    ((base, own),) = lists.items()
    both = own.pop("trainval", None)
    own = own if "train" in own or both is None else {"train": both, **own}
    if "train" not in own:
        raise DataError(f"{base / Path(*LISTS)} has no list to train on. Call that train.txt.")
    return base, own


def _listed(
    lists: Mapping[str, Path], xmls: Iterable[Path], faults: Faults
) -> Iterator[tuple[str, Path]]:
    """Part and label file of each line of the lists; notes files that are in none."""
    by_name = {file.stem: file for file in xmls}
    named = set()
    for part, file in lists.items():
        for number, line in enumerate(read_text(file).splitlines(), 1):
            name = line.split()[0] if line.strip() else ""
            named.add(name)
            if name in by_name:
                yield part, by_name[name]
            elif name:
                faults.note("missing", f"{file}, line {number}: there is no file {name}.xml.")
    for name in by_name.keys() - named:
        faults.note("unlisted", str(by_name[name]))


def _by_folder(xmls: Mapping[Path, str | None], faults: Faults) -> Iterator[tuple[str, Path]]:
    """Part and label file, by the folders that are named for parts if there are any."""
    is_divided = any(xmls.values())
    for file, part in xmls.items():
        if is_divided and part is None:
            faults.note("unlisted", str(file))
        else:
            yield part or "train", file


def _labelled(file: Path, images: Mapping[Path, Path], faults: Faults) -> Labelled | None:
    """The image of a label file and its boxes; None: noted as a fault."""
    try:
        root = _parsed(file)
        boxes = tuple(_boxes(file, root, faults))
        size = size_of(root.findtext("size/width"), root.findtext("size/height"))
    except DataError as error:
        faults.note("unreadable", str(error))
        return None
    except ValueError as error:
        faults.note("unreadable", f"{file}{error}.")
        return None
    name = Path((root.findtext("filename") or "").strip() or file.stem).name
    image = _image(file, images, name)
    if image is None:
        faults.note("missing", f"{file}: there is no image {name}.")
        return None
    return Labelled(image, boxes, file, size)


def _image(file: Path, images: Mapping[Path, Path], name: str) -> Path | None:
    """The image that has the label file's name or the one that the file says."""
    folders = [file.parent, *(file.parent.parent / other for other in IMAGE_FOLDERS)]
    for stem in (file.stem, Path(name).stem):
        for folder in folders:
            if folder / stem in images:
                return images[folder / stem]
    return None


def _parsed(file: Path) -> Element:
    """The root of an XML file; each element says its line.

    Raises:
        ValueError: It is no annotation, or declares a document type, which could blow up.
    """
    builder, parser = TreeBuilder(), expat.ParserCreate()

    def start(name: str, attributes: object) -> None:
        builder.start(name, {"line": str(parser.CurrentLineNumber)})

    def refuse(*declared: object) -> None:
        raise ValueError(f", line {parser.CurrentLineNumber}: it declares a document type")

    parser.StartElementHandler = start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(read_bytes(file), True)
    except expat.ExpatError as error:
        reason = expat.errors.messages[error.code]
        raise ValueError(f", line {error.lineno}: it is no XML: {reason}") from None
    root = builder.close()
    if root.tag != "annotation":
        raise ValueError(f" has <{root.tag}> where <annotation> is expected")
    return root


def _boxes(file: Path, root: Element, faults: Faults) -> Iterator[LabelledBox]:
    for number, thing in enumerate(root.findall("object"), 1):
        line = f"line {thing.attrib['line']}"
        name = class_name((thing.findtext("name") or "").strip())
        if not name:
            raise ValueError(f", {line}: object {number} has no name")
        box = thing.find("bndbox")
        if box is None:
            raise ValueError(f", {line}: object {number} ({name}) has no bndbox")
        try:
            x1, y1, x2, y2 = (finite(_text(box, key)) for key in CORNERS)
        except ValueError as error:
            raise ValueError(f", {line}: object {number} ({name}): {error}") from None
        if (thing.findtext("difficult") or "").strip() == "1":
            faults.note("difficult", f"{file}, {line}")
        yield LabelledBox(name, x1, y1, x2, y2, line)


def _text(box: Element, key: str) -> str:
    text = box.findtext(key)
    if text is None:
        raise ValueError(f"bndbox has no {key}")
    return text.strip()
