"""How a partner looks on pages: its colours, its logo, and the files that browsers keep of them."""

import io
import re
import struct
import zlib

import pytest
from flask import Flask
from PIL import Image, PngImagePlugin

from jay import db
from jay.partners import branding
from jay.partners import service as partners
from tests.api.browser import Browser, problems_of
from tests.builders import Platform, Shop, add_platform
from tests.clock import MovedClock

ORANGE = "#ff7a00"


def picture(
    width: int = 300, height: int = 100, *, kind: str = "PNG", mode: str = "RGBA", **options: object
) -> bytes:
    written = io.BytesIO()
    Image.new(mode, (width, height), "red").save(written, kind, **options)
    return written.getvalue()


def opened(png: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(png))
    image.load()
    return image


@pytest.fixture
def branded(app: Flask) -> Platform:
    """A partner with a colour, a logo and a kiosk."""
    logo = branding.read_logo(picture())
    return add_platform(
        app,
        app.test_client(),
        "orange",
        kiosk=True,
        colour=ORANGE,
        logo=logo,
        display_name="Orange",
    )


# --- colours


@pytest.mark.parametrize("colour", ["", "red", "#fff", "#12345", "#1234567", "#12345g", " #123456"])
def test_a_colour_is_written_in_one_way_only(colour: str) -> None:
    with pytest.raises(branding.UnusableColour):
        branding.read_colour(colour)


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [("#000000", "#ffffff", 21.0), ("#777777", "#ffffff", 4.48), ("#767676", "#ffffff", 4.54)],
)
def test_contrast_is_that_of_wcag(one: str, other: str, ratio: float) -> None:
    assert branding.contrast(one, other) == pytest.approx(ratio, abs=0.005)
    assert branding.contrast(other, one) == branding.contrast(one, other)


@pytest.mark.parametrize(
    ("colour", "text"),
    [("#3a57e8", branding.WHITE), ("#ffd500", branding.NEAR_BLACK), ("#000000", "#ffffff")],
)
def test_a_colour_that_is_fine_stays_as_it_is_with_the_better_text(colour: str, text: str) -> None:
    palette = branding.palette_of(colour)

    assert (palette.accent, palette.text) == (colour, text)


def test_a_colour_between_both_texts_is_made_darker() -> None:
    palette = branding.palette_of("#777777")

    assert palette.accent != "#777777"
    assert palette.text == branding.WHITE
    assert branding.contrast(palette.accent, palette.text) >= 4.5


def test_a_white_button_would_not_be_seen_on_a_white_page() -> None:
    assert (
        branding.contrast(branding.palette_of("#ffffff").accent, "#ffffff") >= branding.NOTICEABLE
    )


@pytest.mark.parametrize("green", range(0, 256, 15))
@pytest.mark.parametrize("red", range(0, 256, 51))
def test_whatever_the_colour_everything_can_be_read(red: int, green: int) -> None:
    for blue in range(0, 256, 51):
        palette = branding.palette_of(f"#{red:02x}{green:02x}{blue:02x}")
        assert branding.contrast(palette.accent, palette.text) >= 4.5
        assert branding.contrast(palette.ink, "#f5f6f8") >= 4.5
        assert branding.contrast(palette.ink, "#ffffff") >= 4.5
        assert branding.contrast(palette.light, "#0b0c10") >= 3


# --- logos


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("PNG", "RGBA"), ("PNG", "P"), ("PNG", "L"), ("JPEG", "RGB"), ("WEBP", "RGB")],
)
def test_a_picture_becomes_a_png(kind: str, mode: str) -> None:
    logo = branding.read_logo(picture(kind=kind, mode=mode))

    image = opened(logo.png)
    assert (image.format, image.size) == ("PNG", (300, 100))
    assert (logo.width, logo.height) == (300, 100)


@pytest.mark.parametrize(
    ("size", "kept"),
    [((2000, 500), (512, 128)), ((500, 1000), (128, 256)), ((40, 20), (40, 20)), ((512, 256),) * 2],
)
def test_a_large_picture_is_made_smaller_and_keeps_its_shape(
    size: tuple[int, int], kept: tuple[int, int]
) -> None:
    logo = branding.read_logo(picture(*size))

    assert (logo.width, logo.height) == kept
    assert opened(logo.png).size == kept


def test_nothing_but_the_picture_is_kept() -> None:
    said = PngImagePlugin.PngInfo()
    said.add_text("Comment", "<script>alert(1)</script>")
    content = picture(pnginfo=said, icc_profile=b"a profile") + b"<script>appended</script>"

    png = branding.read_logo(content).png

    assert b"script" not in png
    assert opened(png).info == {}


def test_a_turned_photograph_is_turned_back() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6

    logo = branding.read_logo(picture(kind="JPEG", mode="RGB", exif=exif))

    assert logo.width < logo.height


@pytest.mark.parametrize(
    "content",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<?xml version='1.0'?>\n<!-- a logo -->\n<svg\nwidth='9'></svg>",
        b"\xef\xbb\xbf<!DOCTYPE svg PUBLIC '-//W3C//DTD SVG 1.1//EN' ''>",
    ],
)
def test_an_svg_is_refused_because_it_can_carry_script(content: bytes) -> None:
    with pytest.raises(branding.UnusableLogo, match="SVG, which can carry script"):
        branding.read_logo(content)


@pytest.mark.parametrize(
    "content",
    [b"", b"GIF89a", b"%PDF-1.7", picture()[:60], picture(kind="GIF", mode="P"), b"\0" * 5000],
)
def test_what_is_no_picture_is_refused(content: bytes) -> None:
    with pytest.raises(branding.UnusableLogo, match="no PNG, JPEG or WebP"):
        branding.read_logo(content)


def test_a_large_file_is_refused() -> None:
    with pytest.raises(branding.UnusableLogo, match="1 MiB"):
        branding.read_logo(picture() + b"\0" * branding.MAX_LOGO_BYTES)


@pytest.mark.parametrize("side", [8000, 12000, 60000])
def test_a_small_file_that_unpacks_to_a_huge_picture_is_refused(side: int) -> None:
    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")

    with pytest.raises(branding.UnusableLogo, match="40 million pixels"):
        branding.read_logo(bomb)


# --- the files that pages load


def drawn(*shapes: tuple[int, str], ground: str | None = None, width: int = 200) -> bytes:
    """Draw bars of so many pixels' width, on nothing or on a colour."""
    image = Image.new("RGBA", (width, 100), ground or "#00000000")
    at = 0
    for size, colour in shapes:
        image.paste(colour, (at, 0, at + size, 100))
        at += size
    written = io.BytesIO()
    image.save(written, "PNG")
    return written.getvalue()


@pytest.mark.parametrize(
    ("content", "ground"),
    [
        (drawn((150, "black")), "light"),
        (drawn((150, "white")), "dark"),
        (drawn((150, "#ffe066")), "dark"),
        (drawn((150, "#ff7a00")), "light"),
        (drawn((75, "white"), (75, "black")), "grey"),
        (drawn((100, "#808080")), "light"),
        # One with a ground of its own stands on that.
        (drawn((20, "white"), ground="black"), "light"),
        (drawn((20, "black"), ground="white"), "light"),
    ],
)
def test_a_logo_stands_on_a_ground_on_which_it_is_seen(content: bytes, ground: str) -> None:
    assert branding.read_logo(content).ground == ground


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (drawn((200, "white")), "light as the white"),
        (drawn((50, "#fffbe6"), ground="white"), "light as the white"),
        (drawn(), "nothing to be seen"),
        (drawn((1300, "black"), width=1300), "12 times as wide"),
    ],
)
def test_a_logo_that_nobody_could_see_or_read_is_refused(content: bytes, why: str) -> None:
    with pytest.raises(branding.UnusableLogo, match=why):
        branding.read_logo(content)


def test_empty_margins_are_cut_off() -> None:
    logo = branding.read_logo(drawn((30, "black"), width=4000))

    assert (logo.width, logo.height) == (30, 100)


@pytest.mark.parametrize(("width", "alone"), [(100, False), (224, False), (225, True)])
def test_a_wordmark_stands_alone_and_is_read_out(app: Flask, width: int, *, alone: bool) -> None:
    logo = branding.read_logo(picture(width, 100))
    add_platform(app, app.test_client(), "orange", kiosk=True, logo=logo, display_name="Orange")

    page = Browser(app).get("/kiosk/orange").get_data(as_text=True)

    brand = re.search(r'<p class="brand[^>]*>(.*?)</p>', page, re.DOTALL)
    assert brand
    assert ('alt="Orange"' in brand[1]) is alone
    assert (">Orange</span>" in brand[1]) is not alone


def test_the_logo_is_served_as_a_png(branded: Platform) -> None:
    response = branded.client.get("/partners/orange/logo.png")

    assert (response.status_code, response.mimetype) == (200, "image/png")
    assert opened(response.data).size == (300, 100)
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_the_stylesheet_is_one_line_of_colours(branded: Platform) -> None:
    response = branded.client.get("/partners/orange/look.css")

    assert (response.status_code, response.mimetype) == (200, "text/css")
    colour = r"#[0-9a-f]{6}"
    assert re.fullmatch(
        rf":root\{{--accent:{ORANGE};--accent-text:#14161c;--accent-ink:{colour}\}}\n",
        response.text,
    )


@pytest.mark.parametrize("name", ["logo.png", "look.css"])
def test_a_file_is_kept_for_long_under_its_version_only(name: str, branded: Platform) -> None:
    address = f"/partners/orange/{name}"
    version = branded.client.get(address).get_etag()[0]

    kept = branded.client.get(f"{address}?v={version}")

    assert kept.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    for other in (address, f"{address}?v=other"):
        assert branded.client.get(other).headers["Cache-Control"] == "public, max-age=60"
    again = branded.client.get(address, headers={"If-None-Match": f'"{version}"'})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize("name", ["logo.png", "look.css"])
def test_a_file_is_the_same_for_everybody(name: str, branded: Platform) -> None:
    response = branded.client.get(f"/partners/orange/{name}?lang=de")

    assert "Set-Cookie" not in response.headers
    assert "Cookie" not in response.headers.get("Vary", "")


@pytest.mark.parametrize("partner", ["kino", "unknown", "%00", "Kino", "x" * 3000, "..%2forange"])
@pytest.mark.parametrize("name", ["logo.png", "look.css"])
def test_what_a_partner_does_not_have_is_not_there(
    partner: str, name: str, platform: Platform
) -> None:
    assert platform.client.get(f"/partners/{partner}/{name}").status_code == 404


# --- pages


def pages_of(
    app: Flask, platform: Platform, shop: Shop, clock: MovedClock
) -> dict[str, tuple[int, str, list[str]]]:
    phone, other = Browser(app), Browser(app, address="127.0.0.2")
    offer = platform.guest((shop.product("mug"), 1)).transfer()
    seen = {"claim": phone.get(offer["url"]), "tv": other.get(offer["displayUrl"])}
    phone.take(offer)
    seen |= {"basket": phone.get("/basket"), "claimed": other.get(offer["url"])}
    late = platform.guest().transfer()
    clock.move(60)
    seen |= {"expired": other.get(late["url"]), "kiosk": other.get(f"/kiosk/{platform.name}")}
    return {
        name: (page.status_code, page.get_data(as_text=True), problems_of(page))
        for name, page in seen.items()
    }


def test_every_page_about_a_partner_wears_its_look(
    app: Flask, branded: Platform, shop: Shop, clock: MovedClock
) -> None:
    for name, (_status, html, problems) in pages_of(app, branded, shop, clock).items():
        logo = re.search(
            r'<img class="logo [^"]+" src="([^"]+)" width="300" height="100" alt="Orange">', html
        )
        assert logo, name
        assert app.test_client().get(logo[1]).headers["Cache-Control"].endswith("immutable")
        assert problems == [], name
        if name in {"tv", "kiosk"}:
            assert f'stop-color="{ORANGE}"' in html, name
        else:
            sheet = re.search(r'href="(/partners/orange/look\.css\?v=\w+)"', html)
            assert sheet, name
            assert app.test_client().get(sheet[1]).headers["Cache-Control"].endswith("immutable")


def test_a_partner_without_a_look_has_the_one_of_the_house(
    app: Flask, shop: Shop, clock: MovedClock
) -> None:
    plain = add_platform(app, app.test_client(), "plain", kiosk=True)

    for name, (_status, html, _problems) in pages_of(app, plain, shop, clock).items():
        assert "/partners/" not in html, name
        assert 'class="mark"' in html, name


def test_a_new_logo_has_a_new_address(app: Flask, branded: Platform) -> None:
    def address() -> str:
        html = Browser(app).get("/kiosk/orange").get_data(as_text=True)
        (found,) = re.findall(r'class="logo [^"]*" src="([^"]+)"', html)
        return str(found)

    old = address()
    with app.app_context(), db.transaction() as connection:
        partner = partners.partner_id(connection, "orange")
        assert partner is not None
        partners.change_partner(
            connection, partner, {"logo": branding.read_logo(picture(200, 200))}
        )

    assert address() != old
    assert opened(branded.client.get(address()).data).size == (200, 200)
    assert branded.client.get(old).headers["Cache-Control"] == "public, max-age=60"


# --- who has a basket already


def test_the_code_page_leads_back_to_a_basket_that_is_there(app: Flask, branded: Platform) -> None:
    phone, other = Browser(app), Browser(app)
    offer = branded.guest().transfer()
    phone.take(offer)

    for page in (phone.get("/code"), phone.get("/nothing"), phone.get("/t/unknown")):
        assert 'href="/basket"' in page.get_data(as_text=True)
    for page in (other.get("/code"), other.get("/nothing"), other.get(offer["url"])):
        assert 'href="/basket"' not in page.get_data(as_text=True)
