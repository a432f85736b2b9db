"""The QR code image, read by a decoder that is not ours."""

import io
import re

import pytest
import zxingcpp
from PIL import Image, ImageDraw

from jay.transfers import qr
from jay.transfers.models import Secrets, with_parameters

CLAIM_URL = "http://127.0.0.1:8000/t/{}"
PAYLOADS = [
    CLAIM_URL.format(Secrets("A" * 22).jay_token),
    "https://jay.tv/t/u0k3Xf0q2mJ9w1zVb6tPzA",
    "https://shop.example/basket?a=1&b=%20#/cart",
    "https://shop.example/täglich?ä=ß",
    with_parameters(
        "https://shop.example/" + "x" * 979, {"jaySource": "y" * 40, "jayToken": "z" * 22}
    ),
]


def decode(image: Image.Image) -> zxingcpp.Barcode:
    found = zxingcpp.read_barcodes(image)
    assert len(found) == 1
    return found[0]


def png(payload: str) -> Image.Image:
    return Image.open(io.BytesIO(qr.png(payload)))


def rasterised(svg: bytes, scale: int = 4) -> Image.Image:
    """Draw the SVG's background and its one path of ``M h v H z`` runs, and nothing else."""
    text = svg.decode()
    size = int(re.search(r'viewBox="0 0 (\d+) \1"', text)[1])
    assert f'<rect width="{size}" height="{size}" fill="#fff"/>' in text
    path = re.search(r'<path fill="#000" d="([^"]*)"/>', text)[1]
    assert re.fullmatch(r"(M\d+ \d+h\d+v1H\d+z)+", path)
    image = Image.new("L", (size * scale, size * scale), 255)
    draw = ImageDraw.Draw(image)
    for x, y, run, back in re.findall(r"M(\d+) (\d+)h(\d+)v1H(\d+)z", path):
        assert x == back
        left, top, right = int(x) * scale, int(y) * scale, (int(x) + int(run)) * scale
        draw.rectangle((left, top, right - 1, top + scale - 1), fill=0)
    return image


def dark_box(image: Image.Image) -> tuple[int, int, int, int]:
    """The box around all dark pixels."""
    box = image.convert("L").point(lambda value: 255 - value).getbbox()
    assert box is not None
    return box


def module_size(image: Image.Image) -> int:
    """Pixels a module: the outer edge of a finder pattern has seven of them."""
    left, top, _, _ = dark_box(image)
    row = [image.convert("L").getpixel((x, top)) for x in range(left, image.width)]
    return row.index(255) // 7


@pytest.mark.parametrize("payload", PAYLOADS)
def test_the_png_reads_as_exactly_the_payload(payload: str) -> None:
    assert decode(png(payload)).text == payload


@pytest.mark.parametrize("payload", PAYLOADS)
def test_the_svg_reads_as_exactly_the_payload(payload: str) -> None:
    assert decode(rasterised(qr.svg(payload))).text == payload


def test_svg_and_png_show_the_same_modules() -> None:
    image = png(PAYLOADS[0])

    svg = rasterised(qr.svg(PAYLOADS[0]), scale=module_size(image))

    assert svg.tobytes() == image.convert("L").tobytes()


@pytest.mark.parametrize("payload", PAYLOADS)
def test_the_error_correction_is_m(payload: str) -> None:
    assert decode(png(payload)).extra["ECLevel"] == "M"


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_module_has_eight_pixels_or_more(payload: str) -> None:
    assert module_size(png(payload)) >= 8


@pytest.mark.parametrize("payload", PAYLOADS)
def test_four_light_modules_stand_around_the_code(payload: str) -> None:
    image = png(payload)
    zone = 4 * module_size(image)

    assert dark_box(image) == (zone, zone, image.width - zone, image.height - zone)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_four_light_modules_stand_around_the_svg_too(payload: str) -> None:
    image = rasterised(qr.svg(payload), scale=1)

    assert dark_box(image) == (4, 4, image.width - 4, image.height - 4)


def test_the_code_of_a_claim_page_is_small_enough_to_be_read_from_the_sofa() -> None:
    versions = {
        int(decode(png(CLAIM_URL.format(Secrets.fresh().jay_token))).extra["Version"])
        for _ in range(10)
    }

    assert max(versions) <= 4


def test_the_fixed_mask_leaves_every_code_readable() -> None:
    for _ in range(100):
        payload = CLAIM_URL.format(Secrets.fresh().jay_token)
        assert decode(rasterised(qr.svg(payload))).text == payload


def test_the_png_is_black_on_white_and_small() -> None:
    image = png(PAYLOADS[0])

    assert {value for _, value in image.convert("L").getcolors()} == {0, 255}
    assert image.format == "PNG"
    assert len(qr.png(PAYLOADS[0])) < 4096


def test_the_code_survives_a_small_and_blurred_picture_of_it() -> None:
    photo = png(PAYLOADS[0]).convert("L").resize((240, 240), Image.Resampling.BILINEAR)

    assert decode(photo).text == PAYLOADS[0]


def test_the_svg_needs_nothing_from_elsewhere_and_runs_nothing() -> None:
    text = qr.svg(PAYLOADS[0]).decode()

    assert set(re.findall(r"<(\w+)", text)) == {"svg", "rect", "path"}
    assert re.findall(r"\w+:?//[^\"]+", text) == ["http://www.w3.org/2000/svg"]
