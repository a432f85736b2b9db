"""Draws pictures anew, each in a process of its own: a picture is hostile input.

This file is run as a program, knows nothing of the service and gets nothing of its environment.
It waits for a picture, and forks: what reads it has a bound on memory and time, may open and write
no file, and ends with its picture, whatever that has done to it.

A request is a line of JSON and the picture's bytes; so is the answer, with the files that were
drawn. The parent process is ``jay/pictures/reading.py``.
"""

import contextlib
import io
import json
import os
import resource
import select
import signal
import sys
import time
import warnings
from collections.abc import Collection, Sequence
from typing import Any, BinaryIO

from PIL import (
    AvifImagePlugin,
    GifImagePlugin,
    Image,
    ImageCms,
    JpegImagePlugin,
    PngImagePlugin,
    WebPImagePlugin,
)

# Loaded before the fork; what is not among these is never opened.
_PLUGINS = (AvifImagePlugin, GifImagePlugin, JpegImagePlugin, PngImagePlugin, WebPImagePlugin)
AvifImagePlugin.DEFAULT_MAX_THREADS = 1

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ORIENTATION = 0x0112
_BYTES_A_PIXEL = {"PNG": 4, "WEBP": 9, "GIF": 9, "AVIF": 9}
"""What unpacking takes at least; a JPEG is unpacked in a part of its size."""

_STRIP = 64
"""Rows that are converted at once: no second whole copy of a large picture is ever made."""

_QUALITY = {"webp": {"quality": 78, "method": 2}, "jpg": {"quality": 80, "optimize": True}}
_PIECE = 64 * 1024
_MOST_FILES = 1024
_SRGB = ImageCms.createProfile("sRGB")


class Refused(Exception):
    """It is not drawn; the message is one of the parent's reasons."""


def draw(content: bytes, asked: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """Draw a picture in the sizes that are asked for.

    :param asked: ``kind``, ``most_pixels``, ``least_side``, and ``webp`` and ``jpg`` with sizes.
    :raises Refused: it can't be shown.
    """
    Image.MAX_IMAGE_PIXELS = asked["most_pixels"]
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    try:
        image = Image.open(io.BytesIO(content), formats=[asked["kind"]])
        small, width, height = _opened(image, asked)
        drawn = _in_sizes(small, (width, height), {*asked["webp"], *asked["jpg"]}, _in_srgb(image))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Refused("TOO_MANY_PIXELS") from error
    except MemoryError as error:
        raise Refused("TOO_COSTLY") from error
    except Refused:
        raise
    except Exception as error:  # whatever a decoder meets in a file that somebody has made up
        raise Refused("BROKEN") from error
    files = []
    for kind, name in (("webp", "WEBP"), ("jpg", "JPEG")):
        for size in asked[kind]:
            written = io.BytesIO()
            drawn[size].save(written, name, **_QUALITY[kind])
            files.append((f"{size}.{kind}", drawn[size].size, written.getvalue()))
    told = {
        "width": width,
        "height": height,
        "colour": _dominant(drawn[min(drawn)]),
        "files": [{"name": n, "size": s, "length": len(c)} for n, s, c in files],
    }
    return told, [content for _name, _size, content in files]


def _in_sizes(
    image: Image.Image, size: tuple[int, int], boxes: Collection[int], in_srgb: Any
) -> dict[int, Image.Image]:
    """Draw a picture into squares, each from the next larger one: nobody sees it, and it is fast.

    :param size: that of the whole picture; it is never drawn larger than this.
    :param in_srgb: what is still to be done to its colours, once it is small.
    """
    drawn: dict[int, Image.Image] = {}
    for box in sorted(boxes, reverse=True):
        longest = max(box, *size)
        wanted = max(1, round(size[0] * box / longest)), max(1, round(size[1] * box / longest))
        if wanted != image.size:
            image = image.resize(wanted, Image.Resampling.LANCZOS)
        drawn[box] = image = image if drawn else in_srgb(image)
    return drawn


def _opened(image: Any, asked: dict[str, Any]) -> tuple[Image.Image, int, int]:
    """Return a picture on white, as small as it may be, and its size as it is seen.

    It is in sRGB but for what ``_in_srgb`` does later.
    """
    if image.width * image.height > asked["most_pixels"]:
        raise Refused("TOO_MANY_PIXELS")
    if min(image.size) < asked["least_side"]:
        raise Refused("TOO_SMALL")
    if image.width * image.height * _BYTES_A_PIXEL.get(asked["kind"], 0) > asked["memory"]:
        # Some decoders call a file broken when they get no memory.
        raise Refused("TOO_COSTLY")
    turn = _turn(image)
    width, height = image.size if turn is None or turn in _UPRIGHT else image.size[::-1]
    least = 2 * max([*asked["webp"], *asked["jpg"]])
    if max(image.size) > least:
        # A JPEG is unpacked no larger than this, in a part of the memory and time.
        share = least / max(image.size)
        image.draft(None, (round(image.width * share), round(image.height * share)))
    image.load()
    small = _in_strips(image, max(1, max(image.size) // least))
    return (small if turn is None else small.transpose(turn)), width, height


_UPRIGHT = (
    Image.Transpose.FLIP_LEFT_RIGHT,
    Image.Transpose.ROTATE_180,
    Image.Transpose.FLIP_TOP_BOTTOM,
)


def _turn(image: Image.Image) -> Image.Transpose | None:
    with contextlib.suppress(Exception):  # made-up metadata turns nothing
        return _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    return None


def _in_strips(image: Image.Image, factor: int) -> Image.Image:
    convert = _converter(image)
    done = Image.new("RGB", (-(-image.width // factor), -(-image.height // factor)))
    for top in range(0, image.height, _STRIP * factor):
        bottom = min(top + _STRIP * factor, image.height)
        strip = convert(image.crop((0, top, image.width, bottom)))
        done.paste(strip.reduce(factor) if factor > 1 else strip, (0, top // factor))
    return done


def _waits(image: Any) -> bool:
    """Tell whether the colours can wait until the picture is small: most time would go there."""
    return image.mode == "RGB" and not image.has_transparency_data


def _in_srgb(image: Any) -> Any:
    """Return what makes a picture sRGB that was opened from this one."""
    profile = image.info.get("icc_profile")
    transform = _transform(profile, "RGB") if profile and _waits(image) else None
    return lambda small: ImageCms.applyTransform(small, transform) if transform else small


def _converter(image: Any) -> Any:
    """Return what makes a part of this picture RGB without transparency; see ``_waits``."""
    profile = None if _waits(image) else image.info.get("icc_profile")
    clear = image.has_transparency_data
    if image.mode.startswith("I"):  # grey in 16 bits, which a plain conversion would cut off
        return lambda part: _grey_in_8_bits(part).convert("RGB")
    base = image.mode if image.mode in {"RGB", "CMYK", "L"} else "RGB"
    transform = _transform(profile, base) if profile else None

    def convert(part: Any) -> Any:
        alpha = None
        if clear:
            part = part.convert("RGBA")
            alpha = part.getchannel("A")
        part = part.convert(base)
        part = ImageCms.applyTransform(part, transform) if transform else part.convert("RGB")
        if alpha is None:
            return part
        ground = Image.new("RGB", part.size, "white")
        ground.paste(part, mask=alpha)
        return ground

    return convert


def _grey_in_8_bits(image: Any) -> Any:
    return image.convert("I").point(lambda value: value * (1 / 256)).convert("L")


def _transform(profile: bytes, mode: str) -> Any:
    with contextlib.suppress(Exception):  # one that is broken, or is of other colours
        return ImageCms.buildTransform(io.BytesIO(profile), _SRGB, mode, "RGB")
    return None


def _dominant(image: Image.Image) -> str:
    # Of one that is far longer than wide, ``ImageOps.contain`` would leave nothing.
    width, height = (max(1, round(side * 48 / max(image.size))) for side in image.size)
    small = image.resize((width, height)).quantize(8, method=Image.Quantize.MEDIANCUT)
    palette = small.getpalette() or [255, 255, 255]
    index: Any = max(small.getcolors() or [(1, 0)])[1]
    return "#" + bytes(palette[index * 3 : index * 3 + 3]).hex()


def _limit(memory: int, seconds: int) -> None:
    """Bound what this process may use from now on."""
    with open("/proc/self/statm") as file:  # noqa: PTH123 - nothing else is loaded for it
        used = int(file.read().split()[0]) * resource.getpagesize()
    for what, most in (
        (resource.RLIMIT_AS, used + memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 0),
    ):
        resource.setrlimit(what, (most, most))


def _answer(told: dict[str, Any], parts: Sequence[bytes] = ()) -> bytes:
    return json.dumps(told).encode() + b"\n" + b"".join(parts)


def _in_child(content: bytes, asked: dict[str, Any], pipe: int) -> None:
    try:
        _limit(asked["memory"], asked["seconds"])
        answer = _answer(*draw(content, asked))
    except Refused as error:
        answer = _answer({"refused": str(error)})
    except MemoryError:
        answer = _answer({"refused": "TOO_COSTLY"})
    view = memoryview(answer)
    while view:
        view = view[os.write(pipe, view) :]


def _serve(content: bytes, asked: dict[str, Any]) -> bytes:
    """Let a child draw it; one that dies or takes too long was too costly."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            # The parent's pipes above all: what has taken a decoder over would answer there for
            # the pictures that come after its own.
            os.closerange(0, writes)
            os.closerange(writes + 1, _MOST_FILES)
            _in_child(content, asked, writes)
            status = 0
        finally:
            os._exit(status)
    os.close(writes)
    end, pieces = time.monotonic() + asked["seconds"] * 2, []
    while True:
        ready, _, _ = select.select([reads], [], [], max(0.0, end - time.monotonic()))
        piece = os.read(reads, _PIECE) if ready else b""
        if not piece:
            break
        pieces.append(piece)
    with contextlib.suppress(ProcessLookupError):
        if not ready:
            os.kill(child, signal.SIGKILL)
    os.close(reads)
    _pid, status = os.waitpid(child, 0)
    return b"".join(pieces) if status == 0 else _answer({"refused": "TOO_COSTLY"})


def _warm_up() -> None:
    """Load what is loaded only with the first picture of a kind: children can open nothing."""
    exif = Image.Exif()
    exif[_ORIENTATION] = 6
    profile = ImageCms.ImageCmsProfile(_SRGB).tobytes()
    for kind in ("GIF", "PNG", "WEBP", "AVIF", "JPEG"):
        written = io.BytesIO()
        image = Image.new("P" if kind == "GIF" else "RGB", (16, 16))
        image.save(
            written, kind, **({} if kind == "GIF" else {"exif": exif, "icc_profile": profile})
        )
        asked = {"kind": kind, "most_pixels": 256, "least_side": 1, "memory": 1 << 20}
        draw(written.getvalue(), {**asked, "webp": [8], "jpg": [8]})


def main(asks: BinaryIO, answers: BinaryIO) -> None:
    """Draw what is asked for until nobody asks any more."""
    _warm_up()
    while line := asks.readline():
        asked = json.loads(line)
        answer = _serve(asks.read(asked["length"]), asked)
        answers.write(b"%d\n" % len(answer) + answer)
        answers.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then ends it
    main(sys.stdin.buffer, sys.stdout.buffer)
