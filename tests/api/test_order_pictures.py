"""What was bought can be seen: in the checkout, on the order's page and in its mails."""

import re
from email.message import EmailMessage
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from jay import db, web
from jay.orders import mail_pictures
from jay.orders.models import Actor, Happening, PartNo
from jay.pictures import purging
from jay.pictures.models import Picture, picture_sources, pictures
from jay.pictures.showing import store
from jay.pictures.store import place
from tests import photos
from tests.api.desk import Desk
from tests.api.test_checkout_pages import taken
from tests.api.test_order_page import page_of
from tests.builders import Shop, User
from tests.pictures import fetched

URL = "https://images.shop.example/mug.jpg"

pytestmark = pytest.mark.one_database


@pytest.fixture
def mug(shop: Shop) -> str:
    return shop.product("mug", name="Mug", description={"images": [{"url": URL}]})


def shows(html: str, picture: Picture) -> bool:
    names = {file.name for kind in ("webp", "jpg") for file in picture.files(kind)}
    return names == set(re.findall(r"/media/[0-9a-f]{2}/([0-9a-z.-]+)", html))


def attached(mail: EmailMessage) -> dict[str, bytes]:
    """Return the pictures beside a mail's page by the names that it shows them by."""
    html = mail.get_body(("html",))
    assert html is not None
    page = html.get_content()
    assert re.findall(r'src="(?!cid:)', page) == []  # nothing is loaded when it is read
    parts = {
        str(part["Content-ID"]).strip("<>"): part.get_content()
        for part in mail.walk()
        if part.get_content_type() == "image/jpeg"
    }
    assert sorted(parts) == sorted(set(re.findall('src="cid:([^"]+)"', page)))
    return parts


def test_the_checkout_shows_what_is_bought(app: Flask, alice: User, mug: str) -> None:
    alice.put(mug, 2)
    picture = fetched(app, URL)
    phone = taken(app, alice)
    phone.tell()

    assert shows(phone.get("/checkout").get_data(as_text=True), picture)


def test_an_order_shows_what_was_bought_whatever_becomes_of_the_product(
    client: FlaskClient, desk: Desk, alice: User, shop: Shop, mug: str
) -> None:
    app = desk.app
    picture = fetched(app, URL)
    order_no = desk.buy(alice, (mug, 1))
    other = "https://images.shop.example/other.jpg"
    shop.product("mug", name="Mug", description={"images": [{"url": other}]})
    fetched(app, other)

    assert shows(client.get(page_of(desk, order_no)).text, picture)


def test_what_came_after_the_order_is_shown_too(
    app: Flask, client: FlaskClient, desk: Desk, alice: User, mug: str
) -> None:
    order_no = desk.buy(alice, (mug, 1))
    assert "/media/" not in client.get(page_of(desk, order_no)).text

    picture = fetched(app, URL)
    assert shows(client.get(page_of(desk, order_no)).text, picture)


def test_a_picture_stays_as_long_as_orders_show_it(
    app: Flask, desk: Desk, alice: User, shop: Shop, mug: str
) -> None:
    other = "https://images.shop.example/other.jpg"
    shop.product("cup", description={"images": [{"url": other}]})
    ordered, unsold = fetched(app, URL), fetched(app, other)
    desk.buy(alice, (mug, 1))
    with app.app_context(), db.transaction() as connection:
        connection.execute(update(picture_sources).values(digest=None))
        for shelf in purging.SHELVES:
            purging.mark_unused(connection, shelf, now=desk.clock())
    desk.clock.move(purging.KEPT_FOR.total_seconds())

    with app.app_context(), db.reading() as connection:
        gone = select(pictures.c.digest).where(purging.unused_pictures(web.now()))
        assert connection.execute(gone).scalars().all() == [unsold.digest]
    assert ordered.digest != unsold.digest


def test_a_mail_carries_small_pictures_and_loads_nothing(
    app: Flask, desk: Desk, alice: User, shop: Shop, mug: str
) -> None:
    picture = fetched(app, URL, photos.jpeg(900, 1200))
    order_no = desk.buy(alice, (mug, 1), (shop.product("cup", name="Cup"), 1))

    (received,) = desk.deliver()
    desk.happens(PartNo(order_no, 1), Happening.CANCELLED, Actor.MERCHANT, lines={"1": 1, "2": 1})
    *_, cancelled = desk.deliver()

    with app.app_context():
        content = store().get(picture.files("jpg")[0].name)
    for mail in (received, cancelled):
        assert list(attached(mail).values()) == [content]
        assert 'width="48" height="64"' in mail.get_body(("html",)).get_content()
        assert "multipart/related" in [part.get_content_type() for part in mail.walk()]


def test_the_same_picture_is_attached_once_and_all_together_stay_small(
    app: Flask, desk: Desk, alice: User, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = [URL, URL, "https://images.shop.example/two.jpg", "https://images.shop.example/3.jpg"]
    bought = [
        (shop.product(f"mug-{number}", description={"images": [{"url": url}]}), 1)
        for number, url in enumerate(urls)
    ]
    sizes = []
    for number, url in enumerate(urls[1:]):
        drawn = fetched(app, url, photos.jpeg(400, 300, number))
        with app.app_context():
            sizes.append(len(store().get(drawn.files("jpg")[0].name) or b""))
    monkeypatch.setattr(mail_pictures, "MOST_BYTES", sizes[0] + sizes[1])

    desk.buy(alice, *bought)
    (mail,) = desk.deliver()

    assert [len(content) for content in attached(mail).values()] == sizes[:2]


def test_a_mail_goes_without_its_pictures_when_these_are_out_of_reach(
    app: Flask, desk: Desk, alice: User, mug: str
) -> None:
    picture = fetched(app, URL, photos.jpeg(400, 300))
    name = picture.files("jpg")[0].name
    with app.app_context():
        path: Path = store()._folder / place(name)
    path.unlink()
    path.mkdir()  # what is there can't be read
    desk.buy(alice, (mug, 1))

    (mail,) = desk.deliver()

    assert attached(mail) == {}
    path.rmdir()
