"""The QR code image: error correction M, quiet zone 4 modules (ISO/IEC 18004)."""

import io

import qrcode
from qrcode.constants import ERROR_CORRECT_M
from qrcode.image.pil import PilImage

QUIET_ZONE_MODULES = 4
PIXELS_A_MODULE = 10
# The standard's search for the best of eight masks costs most of the time, and no phone of today
# needs it: a fixed mask is as readable and three times as fast.
MASK = 3


def _code(payload: str) -> "qrcode.QRCode[PilImage]":
    code = qrcode.QRCode(
        error_correction=ERROR_CORRECT_M,
        box_size=PIXELS_A_MODULE,
        border=QUIET_ZONE_MODULES,
        mask_pattern=MASK,
    )
    code.add_data(payload)
    code.make(fit=True)
    return code


def png(payload: str) -> bytes:
    """Draw the code as a PNG of black and white pixels."""
    stream = io.BytesIO()
    _code(payload).make_image(image_factory=PilImage).save(stream, format="PNG")
    return stream.getvalue()


def svg(payload: str) -> bytes:
    """Draw the code as an SVG that scales to any screen, one path with a run per dark stretch."""
    matrix = _code(payload).get_matrix()
    runs = []
    for y, row in enumerate(matrix):
        x = 0
        while x < len(row):
            end = x
            while end < len(row) and row[end]:
                end += 1
            if end > x:
                runs.append(f"M{x} {y}h{end - x}v1H{x}z")
            x = end + 1
    size = len(matrix)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}"'
        ' shape-rendering="crispEdges">'
        f'<rect width="{size}" height="{size}" fill="#fff"/>'
        f'<path fill="#000" d="{"".join(runs)}"/></svg>'
    ).encode()
