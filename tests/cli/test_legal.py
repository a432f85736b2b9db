"""``flask legal``, and where its texts are read: foot of phone pages, address on large screens."""

import re

import pytest
from flask import Flask

from jay.legal.pages import CACHED_SECONDS
from tests.api.browser import Browser, problems_of, text_of
from tests.builders import Platform, Shop, add_platform, add_shop
from tests.cli.conftest import Run
from tests.cli.test_partner import Written
from tests.clock import MovedClock

IMPRINT = (
    "# Kino Nord GmbH\n\nHafenstraße 1\n20457 Hamburg\n\n- [E-Mail](mailto:post@kino.example)\n"
)
ALL = {
    "imprint": ("Imprint", "Impressum"),
    "privacy": ("Privacy", "Datenschutz"),
    "terms": ("Terms", "Nutzungsbedingungen"),
    "accessibility": ("Accessibility", "Barrierefreiheit"),
}


@pytest.fixture
def kino(app: Flask) -> Platform:
    return add_platform(app, app.test_client(), kiosk=True)


@pytest.fixture
def shop(app: Flask) -> Shop:
    return add_shop(app, app.test_client())


@pytest.fixture
def imprint(written: Written) -> str:
    return written("imprint.md", IMPRINT.encode())


def feet(html: str) -> dict[str, str]:
    """Return what the foot of a page leads to, by its words."""
    foot = re.search(r'<footer class="legal">.*</footer>', html, re.DOTALL)
    links = re.findall(r'<a href="([^"]+)"[^>]*>([^<]+)</a>', foot[0]) if foot else []
    return {words: address for address, words in links if address != "/docs"}


def foot_of(browser: Browser, path: str) -> dict[str, str]:
    return feet(browser.get(path).get_data(as_text=True))


@pytest.mark.one_database
@pytest.mark.parametrize("lang", ["en", "de"])
def test_every_phone_page_leads_to_all_of_them(
    app: Flask, run: Run, *, kino: Platform, shop: Shop, lang: str
) -> None:
    for kind in ALL:
        run("legal", "set", kind, "--lang", lang, "--url", f"https://kino.example/{kind}")
    phone, offer = Browser(app, language=lang), kino.guest((shop.product(), 1)).transfer()
    expected = {words[lang == "de"]: f"https://kino.example/{kind}" for kind, words in ALL.items()}

    seen = [phone.get(offer["url"]), phone.get("/code"), phone.get("/t/unknown")]
    phone.take(offer)
    seen += [phone.get("/basket"), phone.get("/baskets"), phone.get("/nowhere")]

    for page in seen:
        assert feet(page.get_data(as_text=True)) == expected


@pytest.mark.one_database
def test_without_any_there_is_no_foot_and_no_address(
    app: Flask, kino: Platform, shop: Shop
) -> None:
    offer = kino.guest((shop.product(), 1)).transfer()

    assert foot_of(Browser(app), offer["url"]) == {}
    assert "/legal" not in Browser(app).get(offer["displayUrl"]).get_data(as_text=True)
    assert Browser(app).get("/legal").status_code == 404
    assert Browser(app).get("/legal/imprint").status_code == 404


def test_a_text_is_shown_as_it_is_written_and_can_do_nothing(
    app: Flask, run: Run, written: Written, imprint: str
) -> None:
    assert run("legal", "set", "imprint", "--lang", "de", "--file", imprint).exit_code == 0
    evil = "<script>x</script> [a](javascript:x) ![p](https://evil.example/p.png) <b onclick=x>"
    run("legal", "set", "terms", "--lang", "de", "--file", written("t.md", evil.encode()))
    phone = Browser(app, language="de")

    shown = phone.get(foot_of(phone, "/code")["Impressum"])
    html = shown.get_data(as_text=True)
    assert "<h2>Kino Nord GmbH</h2>" in html
    assert re.search(r"Hafenstraße 1<br ?/?>\s*20457 Hamburg", html)
    assert 'href="mailto:post@kino.example"' in html
    assert "Stand: 04.06.2025" in text_of(shown)

    terms = phone.get(foot_of(phone, "/code")["Nutzungsbedingungen"])
    assert problems_of(terms, allowed="https://evil.example/p.png") == []
    html = terms.get_data(as_text=True)
    assert "<script>x" not in html
    assert "<img src" not in html
    assert "<b onclick" not in html
    assert 'href="javascript' not in html


@pytest.mark.one_database
def test_what_the_partner_says_stands_before_the_operator_on_its_pages_alone(
    app: Flask, run: Run, kino: Platform, shop: Shop
) -> None:
    rival = add_platform(app, app.test_client(), "rival")
    run("legal", "set", "imprint", "--lang", "en", "--url", "https://operator.example/i")
    run("legal", "set", "privacy", "--lang", "en", "--url", "https://operator.example/p")
    run(
        "legal",
        "set",
        "imprint",
        "--lang",
        "en",
        "--url",
        "https://kino.example",
        "--partner",
        "kino",
    )
    mug = shop.product()
    pages = [each.guest((mug, 1)).transfer()["url"] for each in (kino, rival)]

    mine, other = (foot_of(Browser(app), page) for page in pages)

    assert mine["Imprint"] == "https://kino.example"
    assert other["Imprint"] == foot_of(Browser(app), "/code")["Imprint"]
    assert other["Imprint"] == "https://operator.example/i"
    assert mine["Privacy"] == other["Privacy"] == "https://operator.example/p"


@pytest.mark.one_database
def test_another_language_is_better_than_none(app: Flask, run: Run, imprint: str) -> None:
    run("legal", "set", "imprint", "--lang", "de", "--file", imprint)
    phone = Browser(app, language="en")

    html = phone.get(foot_of(phone, "/code")["Imprint"]).get_data(as_text=True)

    assert '<article class="read" dir="auto" lang="de">' in html


@pytest.mark.one_database
def test_large_screens_show_a_short_address_that_can_be_typed(
    app: Flask, run: Run, *, kino: Platform, shop: Shop
) -> None:
    run("legal", "set", "imprint", "--lang", "en", "--url", "https://operator.example/i")
    offer = kino.guest((shop.product(), 1)).transfer()
    run("partner", "add", "zoo", "--kiosk")
    screens = [offer["displayUrl"], "/kiosk", "/kiosk/kino"]
    for path in screens:
        assert "Imprint: localhost/legal" in text_of(Browser(app).get(path)), path

    own = ("--url", "https://kino.example", "--partner", "kino")
    run("legal", "set", "privacy", "--lang", "en", *own)
    app.extensions["jay.legal"].clear()

    assert "localhost/legal/kino" in text_of(Browser(app).get("/kiosk/kino"))
    index = Browser(app).get("/Legal/kino/", headers={})
    assert index.status_code == 302
    listed = Browser(app).get(index.headers["Location"])
    assert "Imprint Privacy" in text_of(listed)
    assert Browser(app).get("/legal/nobody").status_code == 404


def test_a_change_reaches_a_process_within_seconds_and_is_a_version_of_its_own(
    app: Flask, run: Run, clock: MovedClock, imprint: str
) -> None:
    phone = Browser(app)
    assert foot_of(phone, "/code") == {}

    run("legal", "set", "imprint", "--lang", "en", "--file", imprint)
    clock.move(CACHED_SECONDS)
    assert foot_of(phone, "/code") == {"Imprint": "/legal/imprint"}

    changed = run("legal", "set", "imprint", "--lang", "en", "--url", "https://operator.example")
    assert "version 2" in changed.stderr
    clock.move(CACHED_SECONDS)
    assert foot_of(phone, "/code") == {"Imprint": "https://operator.example"}
    assert phone.get("/legal/imprint?lang=en").headers["Location"] == "https://operator.example"

    assert run("legal", "remove", "imprint", "--lang", "en").exit_code == 0
    clock.move(CACHED_SECONDS)
    assert foot_of(phone, "/code") == {}
    assert "version 4" in run("legal", "set", "imprint", "--lang", "en", "--file", imprint).stderr


def test_list_and_show_tell_what_is_in_force(run: Run, imprint: str) -> None:
    run("partner", "add", "kino")
    run("legal", "set", "privacy", "--lang", "en", "--url", "https://operator.example/p")
    run("legal", "set", "imprint", "--lang", "de", "--file", imprint)

    lines = run("legal", "list").stdout.splitlines()[1:]

    assert [line.split(maxsplit=5) for line in lines] == [
        ["imprint", "de", "1", "2025-06-04", "12:00", "its text is kept here"],
        ["privacy", "en", "1", "2025-06-04", "12:00", "https://operator.example/p"],
    ]
    assert run("legal", "show", "imprint", "--lang", "de").stdout == IMPRINT + "\n"
    assert len(run("legal", "list", "--partner", "kino").stdout.splitlines()) == 1


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("set", "imprint", "--lang", "de"), 2),
        (("set", "imprint", "--url", "https://a.example"), 2),
        (("set", "imprint", "--lang", "DE", "--url", "https://a.example"), 2),
        (("set", "cookies", "--lang", "de", "--url", "https://a.example"), 2),
        (("set", "imprint", "--lang", "de", "--url", "javascript:alert(1)"), 2),
        (("set", "imprint", "--lang", "de", "--url", "https://a.example", "--partner", "x"), 1),
        (("set", "imprint", "--lang", "de", "--file", "empty"), 1),
        (("set", "imprint", "--lang", "de", "--file", "latin"), 1),
        (("set", "imprint", "--lang", "de", "--file", "large"), 1),
        (("show", "imprint", "--lang", "de"), 1),
        (("remove", "imprint", "--lang", "de"), 1),
    ],
)
def test_what_can_not_be_is_refused(
    run: Run, written: Written, words: tuple[str, ...], status: int
) -> None:
    files = {"empty": b" \n", "latin": "Straße".encode("latin-1"), "large": b"x" * 100_001}

    result = run("legal", *(written(w, files[w]) if w in files else w for w in words))

    assert (result.exit_code, result.stdout) == (status, "")
    assert len(run("legal", "list").stdout.splitlines()) == 1


@pytest.mark.one_database
def test_a_removed_partner_takes_its_texts_along(run: Run) -> None:
    run("partner", "add", "kino")
    run("legal", "set", "terms", "--lang", "en", "--url", "https://k.example", "--partner", "kino")
    run("partner", "remove", "kino", "--yes")
    run("partner", "add", "kino")

    assert len(run("legal", "list", "--partner", "kino").stdout.splitlines()) == 1


@pytest.mark.one_database
def test_the_basket_names_sellers_as_people_know_them(
    app: Flask, run: Run, kino: Platform, shop: Shop
) -> None:
    other = add_shop(app, app.test_client(), "bookshop")
    for name in ("mugshop", "bookshop"):
        run("merchant", "change", name, "--display-name", "Becher & Söhne")
    lines = [(shop.product("mug"), 1), (other.product("book"), 2), (shop.product("hat"), 1)]
    phone = Browser(app)
    phone.take(kino.guest(*lines).transfer())

    html = phone.get("/basket").get_data(as_text=True)

    groups = html.split("Sold by Becher &amp; Söhne")
    names = [re.findall(r'class="name"[^>]*>(\w+)<', group) for group in groups]
    assert names == [[], ["Mug", "Hat"], ["Book"]]


@pytest.mark.one_database
def test_what_a_shop_lacks_before_it_can_sell(run: Run, shop: Shop) -> None:
    told = run("merchant", "legal", "mugshop")
    assert told.exit_code == 0
    assert "Mugs & More GmbH" in told.stdout
    assert "withdrawal (de), version 1" in told.stdout
    texts = [{"kind": "withdrawal", "lang": "de", "text": None}]
    shop.call("PATCH", "/shops/config", json={"texts": texts, "legal": {"email": None}})

    told = run("merchant", "legal", "mugshop")

    assert told.exit_code == 1
    assert "can't be paid yet. Missing: email, withdrawal." in told.stderr
    assert run("merchant", "legal", "nobody").exit_code == 1


@pytest.mark.one_database
def test_who_sells_and_what_holds_is_read_on_the_phone(app: Flask, run: Run, shop: Shop) -> None:
    run("merchant", "change", "mugshop", "--display-name", "Becher & Söhne")
    phone = Browser(app)

    answer = phone.get("/legal/merchant/mugshop", headers={"Accept-Language": "de"})
    html = answer.text
    assert problems_of(answer) == []
    for said in ("Becher &amp; Söhne", "Kaistraße 4<br>", "20457 Hamburg", "Deutschland", "AGB"):
        assert said in html
    links = re.findall(r'href="(/legal/merchant/[^"]+)"', html)
    assert links == ["/legal/merchant/mugshop/terms", "/legal/merchant/mugshop/withdrawal"]
    text = phone.get(links[1], headers={"Accept-Language": "de"}).text
    assert "Widerrufsrecht: Becher &amp; Söhne" in text
    assert "Sie können widerrufen." in text
    assert 'lang="de"' in phone.get(links[1], headers={"Accept-Language": "en"}).text
    for gone in ("nobody", "mugshop/shipping", "nobody/terms", "mugshop/accessibility"):
        assert phone.get(f"/legal/merchant/{gone}").status_code == 404
