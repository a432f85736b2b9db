"""Merchants' pictures on the pages: from here, in sizes that fit, and never waited for."""

import re
from collections.abc import Callable

import pytest
from flask import Flask

from jay.pictures.models import Reason
from jay.pictures.showing import address
from tests import photos
from tests.api.browser import Browser, text_of
from tests.builders import Platform, Shop, User, add_operator, add_platform
from tests.conftest import Apps
from tests.pictures import failed, fetched

URL = "https://images.shop.example/mug.jpg"

pytestmark = pytest.mark.one_database


@pytest.fixture
def mug(shop: Shop, alice: User) -> str:
    images = [{"url": URL, "copyrightText": "Studio Hafenlicht"}]
    product = shop.product(
        "mug",
        name="Mug",
        description={"images": images},
        variants=[{"sku": "mug-l", "type": "size", "value": "large"}],
    )
    alice.put("mugshop/de-DE/mug-l", 2)
    return product


def tv(app: Flask, alice: User) -> str:
    return Browser(app).get(alice.transfer()["displayUrl"]).get_data(as_text=True)


def claim(app: Flask, alice: User) -> str:
    return Browser(app).get(alice.transfer()["url"]).get_data(as_text=True)


def basket(app: Flask, alice: User) -> str:
    phone = Browser(app)
    phone.take(alice.transfer())
    return phone.get("/basket").get_data(as_text=True)


def wall(app: Flask, alice: User) -> str:
    add_platform(app, app.test_client(), "corner", kiosk=True)
    return Browser(app).get("/kiosk/corner").get_data(as_text=True)


@pytest.mark.parametrize("page", [tv, claim, basket, wall])
def test_a_picture_is_shown_from_here_in_sizes_to_choose_from(
    app: Flask, alice: User, mug: str, page: Callable[[Flask, User], str]
) -> None:
    before = page(app, alice) if page is not wall else ""
    if before:
        assert '<span class="letter"' in before
    picture = fetched(app, URL)

    html = page(app, alice)

    webp, jpeg = (picture.files(kind) for kind in ("webp", "jpg"))
    sets = [", ".join(f"{address_of(f)} {f.width}w" for f in files) for files in (webp, jpeg)]
    assert re.search(
        rf'<picture><source type="image/webp" srcset="{re.escape(sets[0])}" sizes="[^"]+">'
        rf'\s*<img src="{re.escape(address_of(jpeg[-1 if page is tv else 0]))}" alt=""'
        rf' width="240" height="320"'
        rf' srcset="{re.escape(sets[1])}" sizes="[^"]+"',
        html,
    )
    assert '<rect width="1" height="1" fill="#336699"/>' in html
    assert URL not in html


def address_of(file: object) -> str:
    name = file.name  # type: ignore[attr-defined]
    return f"/media/{name[:2]}/{name}"


def test_a_file_is_kept_by_browsers_for_ever(app: Flask, mug: str) -> None:
    picture = fetched(app, URL, photos.jpeg(400, 300))

    for kind, content_type in (("webp", "image/webp"), ("jpg", "image/jpeg")):
        for file in picture.files(kind):
            answer = Browser(app).get(address_of(file))
            assert answer.status_code == 200
            assert answer.content_type == content_type
            assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
            assert {"Set-Cookie", "Vary"} & set(answer.headers.keys()) == set()


@pytest.mark.parametrize(
    "path",
    [
        "/media/ab/" + "ab" * 20 + "-160.webp",
        "/media/ab/..%2F..%2Fsecret-key",
        "/media/../secret-key",
        "/media/ab/ab.webp",
        "/media/ab/" + "ab" * 20 + "-160.svg",
    ],
)
def test_nothing_else_is_at_such_an_address(app: Flask, path: str) -> None:
    assert Browser(app).get(path).status_code == 404


def test_a_picture_is_at_one_address_alone(app: Flask, mug: str) -> None:
    file = fetched(app, URL, photos.jpeg(400, 300)).files("jpg")[0]

    assert Browser(app).get(f"/media/00/{file.name}").status_code == 404


def test_pages_load_pictures_from_an_origin_of_their_own(
    apps: Apps, database_url: str, app: Flask, alice: User, mug: str
) -> None:
    picture = fetched(app, URL)
    other = apps.on(database_url, media_url="https://media.example/shop")

    page = Browser(other).get(alice.transfer()["displayUrl"])

    name = picture.files("jpg")[-1].name
    html = page.get_data(as_text=True)
    assert f'<img src="https://media.example/shop/{name[:2]}/{name}"' in html
    assert "img-src 'self' https://media.example;" in page.headers["Content-Security-Policy"]
    plain = Browser(app).get(alice.transfer()["displayUrl"])
    assert "img-src 'self';" in plain.headers["Content-Security-Policy"]
    with other.test_request_context():
        assert address(picture.files("jpg")[0]).startswith("https://media.example/shop/")


def test_the_tv_says_which_one_how_many_and_what_one_costs(
    app: Flask, alice: User, mug: str
) -> None:
    fetched(app, URL)

    html = tv(app, alice)

    assert re.search(r'<p class="which"[^>]*>large</p>', html)
    assert re.search('<p class="price">2\u00d7 €?12', html)
    assert '<ul class="goods one">' in html
    assert "© <bdi>Studio Hafenlicht</bdi>" in html


def test_one_product_alone_is_large_also_where_nothing_but_src_is_known(
    app: Flask, shop: Shop, alice: User, mug: str
) -> None:
    picture = fetched(app, URL)
    small, large = (address_of(picture.files("jpg")[place]) for place in (0, -1))
    assert f'<img src="{large}"' in tv(app, alice)

    alice.put(shop.product("cup"), 1)
    assert f'<img src="{small}"' in tv(app, alice)


def test_a_products_page_says_whose_its_pictures_are(app: Flask, alice: User, mug: str) -> None:
    picture = fetched(app, URL)
    phone = Browser(app)
    phone.take(alice.transfer())
    found = re.search(r'href="([^"]+)" aria-label="Details', phone.get("/basket").text)
    assert found

    page = phone.get(found[1])

    assert "© <bdi>Studio Hafenlicht</bdi>" in page.text
    assert f'<img src="{address_of(picture.files("jpg")[-1])}"' in page.text


def test_the_catalogue_shows_a_small_gallery_and_says_what_is_missing(
    app: Flask, shop: Shop
) -> None:
    urls = [f"https://images.shop.example/{number}.jpg" for number in range(4)]
    shop.product("mug", description={"images": [{"url": url} for url in urls]})
    first, second = fetched(app, urls[0]), fetched(app, urls[1])
    failed(app, urls[2], Reason.NOT_FOUND)
    add_operator(app)
    desk = Browser(app)
    desk.submit("/login", name="olga", password="correct horse battery")

    page = desk.get("/catalogue/mugshop/de-DE/mug")

    html = page.get_data(as_text=True)
    assert re.findall(r"(?:src|srcset)=.https?:", html) == []
    assert html.count("<picture>") == 2
    assert f'<a href="{address_of(second.files("jpg")[-1])}">' in html
    assert address_of(first.files("jpg")[0]) in html
    assert "There is nothing at this address (404)." in text_of(page)
    assert "It is fetched soon." in text_of(page)
    assert "<picture>" in desk.get("/catalogue").get_data(as_text=True)


def test_a_picture_that_is_not_there_costs_a_page_no_second_query(
    app: Flask, platform: Platform, shop: Shop
) -> None:
    # Pages never wait for pictures: what is there is one look-up for all lines together.
    alice = platform.user()
    for number in range(5):
        images = [{"url": f"{URL}?{number}"}]
        alice.put(shop.product(f"mug-{number}", description={"images": images}), 1)
    sent: list[str] = []
    watched = app.extensions["tests.statements"]
    see, watched.see = watched.see, lambda _connection, sql: sent.append(sql)
    try:
        tv(app, alice)
    finally:
        watched.see = see

    assert sum("picture_sources" in sql for sql in sent) == 1


Budget = tuple[Callable[[Flask, User], str], int, str, int]


@pytest.mark.parametrize(
    "budget", [(tv, 3, "-640.jpg", 250_000), (basket, 10, "-320.webp", 300_000)]
)
def test_a_page_with_pictures_stays_light(
    app: Flask, shop: Shop, alice: User, budget: Budget
) -> None:
    # The largest files that an engine may choose there, of photographs with a camera's noise.
    page, lines, chosen, most = budget
    weight = 0
    for number in range(lines):
        url = f"{URL}?{number}"
        alice.put(shop.product(f"mug-{number}", description={"images": [{"url": url}]}), 1)
        picture = fetched(app, url, photos.jpeg(900, 1200, number) if number < 3 else None)
        if number < 3:
            files = (*picture.files("webp"), *picture.files("jpg"))
            name = next(file.name for file in files if chosen in file.name)
            weight += size_of(app, f"/media/{name[:2]}/{name}")

    html = page(app, alice)

    parts = re.findall(r'(?:src|href)="(/(?:static|v2|partners)/[^"]+)"', html)
    others = sum(size_of(app, part) for part in set(parts))
    assert html.count("<picture>") == lines
    assert len(html.encode()) + others + weight * lines / 3 < most


def size_of(app: Flask, path: str) -> int:
    with Browser(app).get(path) as answer:
        assert answer.status_code == 200, path
        return len(answer.get_data())
