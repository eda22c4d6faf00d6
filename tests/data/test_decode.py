"""A file is read as the picture that a viewer shows, or refused by its name."""

import os
import socket
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from evonas.data.decode import MOST_PIXELS, is_grey, read_image
from evonas.errors import ImageError

RNG = np.random.default_rng(0)
COLOURED = RNG.integers(0, 256, (12, 9, 3), np.uint8)
GREY = COLOURED[:, :, 0].copy()
ORIENTATION = 0x0112
TO_STORE = {  # how the upright picture is stored under an orientation: the way back is a viewer's
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def plain(picture: Image.Image, resolution_px: int, mode: str) -> np.ndarray:
    """What Pillow alone makes of a picture: convert, crop, resize."""
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    square = picture.convert(mode).crop((left, top, left + side, top + side))
    resized = square.resize((resolution_px, resolution_px), Image.Resampling.BILINEAR)
    return np.asarray(resized).reshape(resolution_px, resolution_px, -1).transpose(2, 0, 1)


def pixels(file: Path, channels: int = 3) -> list[Any]:
    """The pixels of a row of pictures' width, read at their height: one level, or three."""
    with Image.open(file) as image:
        side = min(image.size)
    values = read_image(file, side, channels)
    return values[0].tolist() if channels == 1 else values.transpose(1, 2, 0).tolist()


def refusal(file: Path) -> str:
    with pytest.raises(ImageError) as failure:
        read_image(file, 8, 3)
    assert failure.value.file == file
    (problem,) = failure.value.problems
    assert problem.startswith(f"{file} is no image that can be read: ")
    return problem.removeprefix(f"{file} is no image that can be read: ")


def png(
    file: Path, depth: int, colour: int, rows: list[bytes], *chunks: tuple[bytes, bytes]
) -> Path:
    """A PNG of any depth, written by hand; each row has 8 pixels."""
    head = struct.pack(">IIBBBBB", 8, len(rows), depth, colour, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    parts = [(b"IHDR", head), *chunks, (b"IDAT", data), (b"IEND", b"")]
    written = b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in parts
    )
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + written)
    return file


@pytest.mark.parametrize("resolution_px", [9, 5, 32])
@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "tif", "webp", "gif", "ppm"])
@pytest.mark.parametrize("shape", ["grey", "coloured"])
def test_ordinary_files_are_read_bit_for_bit_as_pillow_does(
    tmp_path: Path, shape: str, suffix: str, resolution_px: int
) -> None:
    file = tmp_path / f"a.{suffix}"
    Image.fromarray(GREY if shape == "grey" else COLOURED).save(file)
    for channels, mode in ((1, "L"), (3, "RGB")):
        with Image.open(file) as picture:
            expected = plain(picture, resolution_px, mode)
        assert np.array_equal(read_image(file, resolution_px, channels), expected)


@pytest.mark.parametrize("orientation", TO_STORE)
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_each_orientation_is_read_upright(tmp_path: Path, suffix: str, orientation: int) -> None:
    upright, file = Image.fromarray(COLOURED), tmp_path / f"a.{suffix}"
    method = TO_STORE[orientation]
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    options: dict[str, Any] = {"quality": 100, "lossless": True} if suffix == "webp" else {}
    options |= {"quality": 100, "subsampling": 0} if suffix == "jpg" else {}
    (upright if method is None else upright.transpose(method)).save(file, exif=exif, **options)
    difference = read_image(file, 9, 3).astype(int) - plain(upright, 9, "RGB")
    assert np.abs(difference).max() <= (12 if suffix == "jpg" else 0)


@pytest.mark.parametrize("damaged", [b"II*\0\xff\xff\xff\xff", b"", b"MM\0*\0\0\0\x08\0\x01\x01"])
def test_damaged_exif_data_leave_the_picture_as_it_is(tmp_path: Path, damaged: bytes) -> None:
    whole, file = tmp_path / "whole.jpg", tmp_path / "a.jpg"
    Image.fromarray(COLOURED).save(whole)
    Image.fromarray(COLOURED).save(file, exif=b"Exif\0\0" + damaged)
    assert np.array_equal(read_image(file, 9, 3), read_image(whole, 9, 3))


DEEP = np.array([[0, 128, 257, 32768], [65535, 65534, 51400, 1]] * 2, np.uint16)
SHALLOW = np.round(DEEP / 257).astype(np.uint8).tolist()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("suffix", ["png", "tif", "pgm", "jp2"])
def test_16_bits_are_scaled_by_their_range(tmp_path: Path, suffix: str, order: str) -> None:
    mode = "I;16" if order == "<" or suffix != "tif" else "I;16B"
    file = tmp_path / f"a.{suffix}"
    Image.frombytes(mode, (4, 4), DEEP.astype("<u2" if mode == "I;16" else ">u2").tobytes()).save(
        file
    )
    assert pixels(file, 1) == SHALLOW
    assert is_grey(file)


def tiff(file: Path, levels: bytes, bits: int, interpretation: int, kind: int = 1) -> Path:
    """A TIFF of 4 x 4 pixels, written by hand."""
    entries = [(256, 4), (257, 4), (258, bits), (259, 1), (262, interpretation)]
    entries += [(273, 8), (277, 1), (278, 4), (279, len(levels)), (339, kind)]
    fields = b"".join(struct.pack("<HHIHH", tag, 3, 1, value, 0) for tag, value in entries)
    head = struct.pack("<2sHI", b"II", 42, 8 + len(levels))
    file.write_bytes(
        head + levels + struct.pack("<H", len(entries)) + fields + struct.pack("<I", 0)
    )
    return file


def test_a_tiff_whose_lowest_level_is_white_is_turned(tmp_path: Path) -> None:
    for interpretation in (0, 1):
        file = tiff(tmp_path / "a.tif", DEEP.astype("<u2").tobytes(), 16, interpretation)
        levels = np.array(SHALLOW)
        expected = levels if interpretation else 255 - levels
        assert np.abs(np.array(pixels(file, 1)) - expected).max() <= 1


def test_a_tiff_of_12_bits_is_scaled_by_12(tmp_path: Path) -> None:
    packed = bytes.fromhex("000fff") * 8
    assert pixels(tiff(tmp_path / "a.tif", packed, 12, 1), 1) == [[0, 255, 0, 255]] * 4


def test_floats_of_0_to_1_are_scaled_and_others_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.tif"
    levels = np.linspace(0, 1, 16, dtype=np.float32).reshape(4, 4)
    Image.fromarray(levels).save(file)
    assert pixels(file, 1) == np.round(levels * 255).tolist()
    for wrong in (levels * 255, levels - 1, levels * np.nan):
        Image.fromarray(wrong.astype(np.float32)).save(file)
        assert refusal(file).startswith("floats have to be from 0 to 1, these are from ")


@pytest.mark.parametrize(("bits", "kind"), [(16, 2), (32, 1), (32, 2)])
def test_integers_without_a_range_are_refused(tmp_path: Path, bits: int, kind: int) -> None:
    file = tiff(tmp_path / "a.tif", bytes(16 * bits // 8), bits, 1, kind)
    assert refusal(file).startswith("levels of 32 bits have no known range")


HALF = (0, 0, 0, 128)  # half transparent black: 255 * (1 - 128 / 255) on white
SHOWN = [[255, 255, 255], [255, 0, 0], [127, 127, 127]]


@pytest.mark.parametrize("suffix", ["png", "tif", "webp", "jp2", "ico"])
def test_transparent_parts_are_white(tmp_path: Path, suffix: str) -> None:
    image = Image.new("RGBA", (16, 16))
    image.paste((255, 0, 0, 255), (5, 0, 11, 16))
    image.paste(HALF, (11, 0, 16, 16))
    file = tmp_path / f"a.{suffix}"
    image.save(file, **({"lossless": True, "exact": True} if suffix == "webp" else {}))
    row = pixels(file)[3]
    assert [row[0], row[7], row[15]] == SHOWN


def test_transparent_grey_is_white_in_grey(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    image = Image.new("LA", (4, 4), (0, 0))
    image.paste((9, 255), (0, 0, 2, 4))
    image.save(file)
    assert pixels(file, 1)[0] == [9, 9, 255, 255]
    assert is_grey(file)


@pytest.mark.parametrize("suffix", ["png", "gif"])
@pytest.mark.parametrize("key", [1, bytes([255, 0, 255])])
def test_transparent_entries_of_a_palette_are_white(
    tmp_path: Path, suffix: str, key: int | bytes
) -> None:
    image = Image.new("P", (4, 4), 0)
    image.putpalette([0, 0, 255, 0, 0, 0, 255, 0, 0])
    image.paste(1, (1, 0, 2, 4))
    image.paste(2, (2, 0, 4, 4))
    image.save(tmp_path / f"a.{suffix}", transparency=1 if suffix == "gif" else key)
    assert pixels(tmp_path / f"a.{suffix}")[0] == [
        [0, 0, 255],
        [255, 255, 255],
        [255, 0, 0],
        [255, 0, 0],
    ]


@pytest.mark.parametrize(
    ("depth", "row", "key", "shown"),
    [
        (1, bytes([0b01010101]), 0, [255, 255] * 4),
        (2, bytes([0b00011011, 0b00011011]), 1, [0, 255, 170, 255] * 2),
        (4, bytes([0x0F, 0x37] * 2), 3, [0, 255, 255, 119] * 2),
        (8, bytes(range(8)), 3, [0, 1, 2, 255, 4, 5, 6, 7]),
        (
            16,
            np.arange(0, 8 * 257, 257, dtype=">u2").tobytes(),
            3 * 257,
            [0, 1, 2, 255, 4, 5, 6, 7],
        ),
    ],
)
def test_a_transparent_level_of_any_depth_is_white(
    tmp_path: Path, depth: int, row: bytes, key: int, shown: list[int]
) -> None:
    file = png(tmp_path / "a.png", depth, 0, [row] * 8, (b"tRNS", struct.pack(">H", key)))
    assert pixels(file, 1)[0] == shown
    assert pixels(file, 3)[0] == [[level] * 3 for level in shown]


@pytest.mark.parametrize("depth", [8, 16])
def test_a_transparent_colour_of_any_depth_is_white(tmp_path: Path, depth: int) -> None:
    unit, kind = (1, ">u1") if depth == 8 else (257, ">u2")
    row = np.array([[10, 20, 30], [10, 20, 31]] * 4) * unit
    key = struct.pack(">HHH", *(level * unit for level in (10, 20, 30)))
    file = png(tmp_path / "a.png", depth, 2, [row.astype(kind).tobytes()] * 8, (b"tRNS", key))
    assert pixels(file)[0][:2] == [[255, 255, 255], [10, 20, 31]]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_opaque_alpha_changes_nothing(tmp_path: Path, mode: str) -> None:
    file = tmp_path / "a.png"
    opaque = Image.fromarray(COLOURED).convert(mode)
    opaque.save(file)
    for channels, plain_mode in ((1, "L"), (3, "RGB")):
        expected = plain(opaque, 5, plain_mode)
        assert np.array_equal(read_image(file, 5, channels), expected)


@pytest.mark.parametrize(
    ("mode", "suffix", "colour", "shown"),
    [
        ("1", "png", 1, [255, 255, 255]),
        ("CMYK", "jpg", (0, 255, 255, 0), [255, 0, 0]),
        ("CMYK", "tif", (0, 255, 255, 0), [255, 0, 0]),
        ("YCbCr", "jpg", (76, 85, 255), [254, 0, 0]),
        ("LAB", "tif", (136, 209, 195), [250, 3, 11]),
        ("RGBX", "tif", (255, 0, 0, 0), [255, 0, 0]),
    ],
)
def test_colours_of_other_modes_are_right(
    tmp_path: Path, mode: str, suffix: str, colour: Any, shown: list[int]
) -> None:
    file = tmp_path / f"a.{suffix}"
    Image.new(mode, (16, 16), colour).save(file)
    read = np.array(pixels(file)[8][8])
    assert np.abs(read - shown).max() <= 3
    grey = Image.new("RGB", (1, 1), tuple(shown)).convert("L").getpixel((0, 0))
    assert abs(pixels(file, 1)[8][8] - grey) <= 3
    assert is_grey(file) == (mode == "1")


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tif"])
def test_of_an_animation_the_first_frame_is_read(tmp_path: Path, suffix: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ((255, 0, 0), (0, 0, 255))]
    options = {"lossless": True} if suffix == "webp" else {}
    file = tmp_path / f"a.{suffix}"
    frames[0].save(file, save_all=True, append_images=frames[1:], **options)
    assert pixels(file)[0][0] == [255, 0, 0]


def bomb(file: Path) -> None:
    png(file, 8, 0, [b""])
    content = bytearray(file.read_bytes())
    content[16:24] = struct.pack(">II", 60_000, 60_000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    file.write_bytes(content)


def large(file: Path) -> None:
    row = b"\0" + bytes(20_000 // 8)
    data = zlib.compress(row * 20_000, 9)
    png(file, 1, 0, [])
    content = bytearray(file.read_bytes()[:33])
    content[16:24] = struct.pack(">II", 20_000, 20_000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    content += struct.pack(">I", len(data)) + b"IDAT" + data
    file.write_bytes(content + struct.pack(">I", zlib.crc32(b"IDAT" + data)))


def just_too_large(file: Path) -> None:
    Image.new("1", (MOST_PIXELS // 1000 + 1, 1000)).save(file, "PNG")


def bound_socket(file: Path) -> None:
    with socket.socket(socket.AF_UNIX) as opened:
        os.chdir(file.parent)
        opened.bind(file.name)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (os.mkfifo, "it is a pipe."),
        (os.mkdir, "it is a folder."),
        (bound_socket, "it is a socket."),
        (lambda file: file.symlink_to("/dev/zero"), "it is a device."),
        (lambda file: file.symlink_to("nowhere"), "No such file or directory."),
        (lambda file: file.symlink_to(file.name), "Too many levels of symbolic links."),
        (lambda file: file.touch(), "it is empty."),
        (lambda file: file.write_text("text"), "it is none of AVIF, BMP, DIB,"),
        (lambda file: file.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n"), "it is none of AVIF,"),
        (bomb, "it has more than 89,478,485 pixels, make it smaller."),
        (large, "it has more than 89,478,485 pixels, make it smaller."),
        (just_too_large, "it has more than 89,478,485 pixels, make it smaller."),
    ],
)
def test_what_is_no_picture_is_refused_by_name(
    tmp_path: Path, make: Callable[[Path], None], reason: str
) -> None:
    file = tmp_path / "a.png"
    make(file)
    assert refusal(file).startswith(reason)
    with pytest.raises(ImageError, match=reason[:12]):
        is_grey(file)


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "tif", "webp", "gif", "ppm", "jp2", "ico"])
def test_files_cut_anywhere_are_read_or_refused_by_name(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"a.{suffix}"
    Image.fromarray(RNG.integers(0, 256, (40, 40, 3), np.uint8)).save(file)
    whole = file.read_bytes()
    for length in (1, 8, 15, 30, len(whole) // 3, len(whole) // 2):
        file.write_bytes(whole[:length])
        assert refusal(file)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp", "gif", "jp2"])
def test_files_with_changed_bytes_are_read_or_refused_by_name(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"a.{suffix}"
    info = PngInfo()
    info.add_text("comment", "x" * 50, zip=True)
    Image.fromarray(COLOURED).save(file, **({"pnginfo": info} if suffix == "png" else {}))
    whole = file.read_bytes()
    for _ in range(150):
        content = bytearray(whole)
        for place in RNG.integers(0, len(whole), 3):
            content[place] = RNG.integers(256)
        file.write_bytes(content)
        with suppress(ImageError):
            assert read_image(file, 4, 3).shape == (3, 4, 4)
