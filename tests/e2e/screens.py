"""Take the pictures in ``docs/screens/``: ``make screens``."""

import io
import shutil
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from tests.demo import demo_service
from tests.servers import ROOT

FOLDER = ROOT / "docs" / "screens"
TV_SIZES = ((1280, 720), (1920, 1080))
PHONE = (390, 844)
BROWSER_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def main() -> None:
    """Start the service with demo data and photograph the path in both languages."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as data_dir,
        demo_service(Path(data_dir)) as service,
        sync_playwright() as playwright,
    ):
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=BROWSER_ARGUMENTS
        )
        for lang in ("de", "en"):
            for size in TV_SIZES:
                _path(chromium, service.url, lang, size)
        chromium.close()


def _path(chromium: Browser, url: str, lang: str, size: tuple[int, int]) -> None:
    tv = chromium.new_context(
        viewport={"width": size[0], "height": size[1]}, locale=lang
    ).new_page()
    phone = chromium.new_context(
        viewport={"width": PHONE[0], "height": PHONE[1]},
        locale=lang,
        device_scale_factor=2,
        is_mobile=True,
    ).new_page()
    tv_name, phone_name = f"{lang}-{size[0]}x{size[1]}", f"{lang}-{PHONE[0]}x{PHONE[1]}"
    tv.goto(f"{url}/kiosk/demo")
    for tile in (0, 1, 1, 2):
        with tv.expect_response(lambda answer: answer.request.method == "GET"):
            tv.locator("button.tile").nth(tile).click()
        tv.wait_for_load_state("networkidle")
    _shoot(tv, f"kiosk-{tv_name}")
    tv.locator("form[action$='/code'] button").click()
    tv.wait_for_url("**/tv/*")
    tv.wait_for_load_state("load")
    _shoot(tv, f"tv-pending-{tv_name}")
    code = tv.locator(".typed strong").inner_text()
    phone.goto(f"{url}/code")
    _shoot(phone, f"phone-code-{phone_name}")
    phone.locator("#user_code").fill(code)
    phone.locator("button[form=code]").click()
    phone.wait_for_url("**/t/*")
    _shoot(phone, f"phone-claim-{phone_name}")
    tv.wait_for_selector("[data-state=opened]")
    _shoot(tv, f"tv-opened-{tv_name}")
    phone.locator("form button.button").click()
    phone.wait_for_url("**/basket")
    _shoot(phone, f"phone-basket-{phone_name}")
    tv.wait_for_selector("[data-state=claimed]")
    _shoot(tv, f"tv-claimed-{tv_name}")
    phone.goto(f"{url}/t/unknown")
    _shoot(phone, f"phone-unknown-{phone_name}")
    tv.context.close()
    phone.context.close()


def _shoot(page: Page, name: str) -> None:
    # 256 colours are enough to judge a page by, and a third of the size in the repository.
    picture = Image.open(io.BytesIO(page.screenshot()))
    picture.convert("RGB").quantize(256).save(FOLDER / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
