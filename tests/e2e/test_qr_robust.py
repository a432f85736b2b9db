"""Cameras see the code small, blurred and at an angle."""

import io
import re
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image, ImageFilter

from jay.config import settings_from
from jay.transfers import qr
from jay.transfers.models import Secrets
from tests.e2e.actors import http_client
from tests.e2e.states import BY_NAME
from tests.e2e.tour import SIZES, Tour

LARGEST_VERSION = 6


def quarter(picture: Image.Image) -> Image.Image:
    """Return what a camera far away sees."""
    return picture.resize((picture.width // 4, picture.height // 4), Image.Resampling.BOX)


def blurred(picture: Image.Image) -> Image.Image:
    """Return what a camera sees that has not focused yet: a third of a module at this size."""
    return picture.filter(ImageFilter.GaussianBlur(picture.height / 180 * 0.8))


def turned(picture: Image.Image) -> Image.Image:
    """Return what a camera sees that is held askew."""
    return picture.rotate(20, Image.Resampling.BICUBIC, expand=True)


@pytest.fixture(scope="module")
def pictures(tour: Tour) -> dict[tuple[int, int], tuple[Image.Image, str]]:
    """Screenshots of the code at both sizes, and what it says."""
    taken = {}
    with tour.at(BY_NAME["tv-pending"], "de") as (page, _visit):
        for size in SIZES["tv"]:
            page.set_viewport_size({"width": size[0], "height": size[1]})
            with Image.open(io.BytesIO(page.screenshot())) as picture:
                grey = picture.convert("L")
            taken[size] = (grey, decoded(grey))
    return taken


def decoded(picture: Image.Image) -> str:
    """Return what the only QR code in a picture says."""
    codes = zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormat.QRCode)
    assert len(codes) == 1
    return codes[0].text


@pytest.mark.parametrize("size", SIZES["tv"], ids=str)
@pytest.mark.parametrize(
    "seen",
    [
        (quarter,),
        (blurred,),
        (turned,),
        (quarter, blurred),
        (quarter, turned),
        (blurred, turned),
        (quarter, blurred, turned),
    ],
    ids=lambda steps: " ".join(step.__name__ for step in steps),
)
def test_the_code_is_read_off_a_bad_picture(pictures, size, seen) -> None:
    picture, said = pictures[size]
    for step in seen:
        picture = step(picture)

    assert re.search(r"/t/[\w-]{22}$", said)
    assert decoded(picture) == said


def test_the_code_has_few_modules_with_the_default_public_url(tmp_path: Path) -> None:
    public_url = settings_from({"JAY_DATA_DIR": str(tmp_path)}).public_url

    code = qr._code(f"{public_url}/t/{Secrets.fresh().jay_token}")

    assert code.version <= LARGEST_VERSION


def test_the_code_on_the_screen_has_few_modules(tour: Tour) -> None:
    with tour.at(BY_NAME["tv-pending"], "de") as (page, _visit):
        source = page.locator(".card.code img").evaluate("image => image.src")
        drawn = http_client().request("GET", source).data.decode()

    found = re.search(r'viewBox="0 0 (\d+) ', drawn)
    assert found is not None
    modules = int(found[1]) - 2 * qr.QUIET_ZONE_MODULES
    assert (modules - 17) // 4 <= LARGEST_VERSION
