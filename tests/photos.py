"""Pictures for tests, made here: photographs of a kind, and what is wrong in all the odd ways."""

import io
import math
import struct
import zlib
from typing import Any

from PIL import Image, ImageCms, ImageDraw, ImageFilter

WHITE, RED, BLUE = (255, 255, 255), (200, 30, 40), (40, 70, 200)


def photo(width: int = 900, height: int = 1200, number: int = 0) -> Image.Image:
    """Draw a thing on a lit ground, with the noise of a camera."""
    hue = (number * 67) % 360
    ground = Image.radial_gradient("L").resize((width, height))
    picture = Image.merge("RGB", [ground.point(lambda v, d=d: 235 - v // d) for d in (4, 5, 6)])
    draw = ImageDraw.Draw(picture)
    colour, dark = (f"hsl({hue},60%,{light}%)" for light in (52, 30))
    box = (width * 0.2, height * 0.18, width * 0.8, height * 0.84)
    shape = number % 3
    if shape == 0:
        draw.rounded_rectangle(box, width // 12, fill=colour, outline=dark, width=width // 80)
    elif shape == 1:
        draw.ellipse(box, fill=colour, outline=dark, width=width // 80)
    else:
        around = [
            (
                width * (0.5 + 0.34 * math.cos(turn * math.pi / 5 - 1.57) * (1 - turn % 2 * 0.45)),
                height * (0.5 + 0.34 * math.sin(turn * math.pi / 5 - 1.57) * (1 - turn % 2 * 0.45)),
            )
            for turn in range(10)
        ]
        draw.polygon(around, fill=colour, outline=dark)
    for line in range(6):
        y = height * (0.3 + line * 0.08)
        draw.line((width * 0.3, y, width * 0.7, y + height * 0.02), fill=dark, width=width // 150)
    picture = picture.filter(ImageFilter.GaussianBlur(max(1, width // 500)))
    noise = Image.effect_noise((width, height), 14).convert("RGB")
    return Image.blend(picture, noise, 0.06)


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    """Write a picture as a file of a kind."""
    written = io.BytesIO()
    picture.save(written, kind, **options)
    return written.getvalue()


def jpeg(width: int = 900, height: int = 1200, number: int = 0) -> bytes:
    """Return a photograph as merchants have it."""
    return saved(photo(width, height, number), "JPEG", quality=88)


def halves(size: tuple[int, int] = (400, 200)) -> Image.Image:
    """Draw a picture that is red at its left and blue at its right."""
    picture = Image.new("RGB", size, BLUE)
    picture.paste(RED, (0, 0, size[0] // 2, size[1]))
    return picture


def turned() -> bytes:
    """Return halves that a camera has held upright: seen right, red is at the top."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(halves(), "JPEG", exif=exif, quality=95)


def cmyk() -> bytes:
    """Return a picture for printing: all of it red."""
    return saved(Image.new("RGB", (300, 300), RED).convert("CMYK"), "JPEG", quality=95)


def other_profile() -> bytes:
    """Return a picture whose numbers mean other colours: a profile with red and blue changed."""
    lab = ImageCms.createProfile("sRGB")
    content = bytearray(ImageCms.ImageCmsProfile(lab).tobytes())
    for name, other in ((b"rXYZ", b"bXYZ"),):
        one, two = content.index(name), content.index(other)
        content[one : one + 4], content[two : two + 4] = other, name
    return saved(Image.new("RGB", (300, 300), RED), "PNG", icc_profile=bytes(content))


def grey_in_16_bits() -> bytes:
    """Return a middle grey of 16 bits."""
    return saved(Image.new("I;16", (300, 200), 0x8000), "PNG")


def transparent() -> bytes:
    """Return a red point on nothing."""
    picture = Image.new("RGBA", (300, 300), (0, 0, 0, 0))
    ImageDraw.Draw(picture).ellipse((100, 100, 200, 200), fill=(*RED, 255))
    return saved(picture, "PNG")


def animated() -> bytes:
    """Return a film whose first picture is red."""
    frames = [Image.new("RGB", (300, 300), colour) for colour in (RED, BLUE, WHITE)]
    return saved(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=100)


def bomb(width: int, height: int) -> bytes:
    """Return a PNG of a few bytes that says it is as large as this."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(1_000_000))
    parts = [(b"IHDR", header), (b"IDAT", rows), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in parts
    )


SVG = b"""<?xml version="1.0"?>
<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>"""
HTML = b"<!DOCTYPE html><title>Not found</title>"
