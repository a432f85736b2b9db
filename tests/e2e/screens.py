"""Take a picture of every page in every state: ``make screens``.

Names of states after it take only those: ``python -m tests.e2e.screens tv-pending phone-claim``.
"""

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from tests.e2e.chromium import started
from tests.e2e.service import Service, running
from tests.e2e.states import BY_NAME, LANGUAGES, STATES, State
from tests.e2e.tour import SIZES, Tour, sizes_of
from tests.servers import ROOT

FOLDER = ROOT / "var" / "screens"
"""Git ignores it. The few that README.md shows are copied to ``docs/screens`` by hand."""
COLOURS = {Image.Quantize.MEDIANCUT: 176, Image.Quantize.FASTOCTREE: 80}
SMALL_ONES = ("phone-basket-notes", "phone-basket-conflict", "phone-basket-undo", "phone-claim")


def main() -> None:
    """Start the service with demo data and photograph every page in every state."""
    chosen = [BY_NAME[name] for name in sys.argv[1:]] or STATES
    FOLDER.mkdir(parents=True, exist_ok=True)
    if len(chosen) == len(STATES):
        for old in FOLDER.glob("*.png"):
            old.unlink()
    with (
        tempfile.TemporaryDirectory() as name,
        running(Path(name), app="tests.e2e.moved_app:app") as service,
        sync_playwright() as playwright,
        started(playwright.chromium) as chromium,
    ):
        _photograph(service, chromium, chosen)
    size = sum(picture.stat().st_size for picture in FOLDER.glob("*.png"))
    print(f"{len(list(FOLDER.glob('*.png')))} pictures, {size / 1e6:.1f} MB")


def _photograph(service: Service, chromium: Browser, states: list[State]) -> None:
    tour = Tour(service, chromium)
    for state in states:
        for lang in LANGUAGES:
            if state.kind == "docs" and lang != "en":
                continue
            with tour.at(state, lang) as (page, _visit):
                for width, height in _sizes(state):
                    page.set_viewport_size({"width": width, "height": height})
                    page.wait_for_load_state("networkidle")
                    _keep(page.screenshot(), f"{state.name}-{lang}-{width}x{height}")


def _sizes(state: State) -> tuple[tuple[int, int], ...]:
    # The smallest phone is looked at where there is the most to say.
    sizes = sizes_of(state)
    return sizes if sizes != SIZES["phone"] or state.name in SMALL_ONES else sizes[:1]


def _keep(screenshot: bytes, name: str) -> None:
    # 256 colours are enough to judge a page by, and half the size. Most are the middle of equally
    # many pixels each, so that a TV's glow shows no rings; the others are those that stand out,
    # however small what wears them.
    with Image.open(io.BytesIO(screenshot)) as picture:
        full = picture.convert("RGB")
    colours = [
        channel
        for method, count in COLOURS.items()
        for channel in (full.quantize(count, method=method).getpalette() or [])[: 3 * count]
    ]
    palette = Image.new("P", (1, 1))
    palette.putpalette(colours)
    fewer = full.quantize(palette=palette, dither=Image.Dither.NONE)
    fewer.save(FOLDER / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
