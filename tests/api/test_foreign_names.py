"""Names in other scripts stay where they stand: they turn round no count and no price (UAX 9)."""

import re
from collections.abc import Callable
from html.parser import HTMLParser
from urllib.parse import quote

import pytest
from flask import Flask

from tests.api.browser import Browser
from tests.api.desk import Desk, words
from tests.api.test_order_page import page_of
from tests.builders import Shop, User, add_platform
from tests.conftest import Apps

pytestmark = pytest.mark.one_database

NAME, KIND, BRAND = "ספל כחול 12", "גדול 3", "כוכב"
OVERRIDE = "\u202e"
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff]+(?: [\u0590-\u08ff0-9]+)*")
_ISOLATED = re.compile("\u2068[^\u2069]*\u2069")
_VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}
_READ_OUT = {"aria-label", "alt", "title", "placeholder"}


class _Loose(HTMLParser):
    """Finds right-to-left text that reorders what stands beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.seen = 0
        self._open: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        for name in _READ_OUT & given.keys():
            self._look(given[name] or "", isolating=False)
        if tag not in _VOID:
            alone = tag == "bdi" or given.get("dir") == "auto" or given.get("class") == "letter"
            self._open.append((tag, alone))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        tag, isolating = self._open[-1] if self._open else ("", False)
        if tag not in {"title", "script", "code"}:
            self._look(data, isolating=isolating)

    def _look(self, text: str, *, isolating: bool) -> None:
        if not _RIGHT_TO_LEFT.search(text):
            return
        self.seen += 1
        rest = _ISOLATED.sub("", text)
        if isolating:  # it stands alone there
            rest = _RIGHT_TO_LEFT.sub("", rest, count=1).strip(f" …{OVERRIDE}")
            if rest:
                self.found.append(text.strip())
        elif _RIGHT_TO_LEFT.search(rest):
            self.found.append(text.strip())


def loose(html: str) -> list[str]:
    """Return what of a page reorders its neighbours; it must name the product at all."""
    reader = _Loose()
    reader.feed(html)
    assert reader.seen
    return reader.found


@pytest.fixture
def mug(shop: Shop) -> str:
    """A mug that has a name of another script, in two sizes; the id of the first."""
    shop.product(
        "mug",
        name=OVERRIDE + NAME,
        description={"brand": BRAND, "subLine": OVERRIDE + NAME, "colour": BRAND},
        variants=[
            {"sku": f"mug-{number}", "type": KIND, "value": f"{OVERRIDE}{KIND}{number}"}
            for number in (1, 2)
        ],
    )
    return "mugshop/de-DE/mug-1"


def _claim(phone: Browser, user: User, _mug: str) -> str:
    return phone.get(user.transfer()["url"]).get_data(as_text=True)


def _tv(phone: Browser, user: User, _mug: str) -> str:
    return phone.get(user.transfer()["displayUrl"]).get_data(as_text=True)


def _basket(phone: Browser, user: User, mug: str) -> str:
    phone.take(user.transfer())
    phone.submit("/basket", "/basket/items", product_id=mug, action="save")
    saved = phone.get("/basket").get_data(as_text=True)
    phone.submit("/basket", "/basket/items", product_id=mug, action="cart")
    there = phone.get("/basket").get_data(as_text=True)
    phone.submit("/basket", "/basket/items", product_id=mug, action="remove")
    return saved + there + phone.get("/basket").get_data(as_text=True)


def _baskets(phone: Browser, user: User, _mug: str) -> str:
    phone.take(user.transfer())
    return phone.get("/baskets").get_data(as_text=True)


def _details(phone: Browser, user: User, mug: str) -> str:
    phone.take(user.transfer())
    page = phone.get("/basket").get_data(as_text=True)
    found = re.search(r'<a class="pic" href="([^"]+)"', page)
    assert found
    return phone.get(found[1]).get_data(as_text=True)


def _kiosk(phone: Browser, user: User, mug: str) -> str:
    app = user.platform.client.application
    add_platform(app, app.test_client(), "corner", kiosk=True)
    asked = f"/kiosk/corner/choose?product={quote('mugshop/de-DE/mug', safe='')}"
    for _ in range(2):
        phone.submit(asked, "/kiosk/corner", product_id=mug, chosen="1")
    paths = ("/kiosk/corner", asked, "/kiosk/corner/picked")
    return "".join(phone.get(path).get_data(as_text=True) for path in paths)


PAGES: dict[str, Callable[[Browser, User, str], str]] = {
    "claim": _claim,
    "tv": _tv,
    "basket": _basket,
    "baskets": _baskets,
    "details": _details,
    "kiosk": _kiosk,
}


@pytest.mark.parametrize("page", PAGES)
def test_a_name_turns_nothing_round_on_a_page(page: str, app: Flask, alice: User, mug: str) -> None:
    alice.put(mug, 2)

    html = PAGES[page](Browser(app), alice, mug)

    assert loose(html) == []
    assert OVERRIDE not in html


def test_nor_in_the_catalogue(app: Flask, apps: Apps, database_url: str, mug: str) -> None:
    visitor = Browser(apps.on(database_url, demo=True))

    for path in ("/catalogue", "/catalogue/mugshop/de-DE/mug"):
        answer = visitor.get(path)
        assert answer.status_code == 200
        assert loose(answer.get_data(as_text=True)) == []


def test_nor_in_an_order_and_its_mails(desk: Desk, alice: User, mug: str) -> None:
    order_no = desk.buy(alice, (mug, 2), language="en")

    (mail,) = desk.deliver()
    page = Browser(desk.app).get(page_of(desk, order_no)).get_data(as_text=True)

    for html in (page, words(mail, "html")):
        assert loose(html) == []
    assert OVERRIDE not in page + words(mail, "html") + words(mail)
    (line,) = [line for line in words(mail).splitlines() if NAME in line]
    assert not _RIGHT_TO_LEFT.search(_ISOLATED.sub("", line)), line
    assert line.startswith("- 2 x ")


def test_what_turns_round_is_noticed() -> None:
    for html in (f"<p>2 x {NAME}</p>", f'<p dir="auto">2 x {NAME}</p>', f"<p>{KIND}: 3</p>"):
        assert loose(html)
    for html in (f"<p>2 x <bdi>{NAME}</bdi></p>", f"<p>2 x \u2068{NAME}\u2069</p>"):
        assert loose(html) == []
