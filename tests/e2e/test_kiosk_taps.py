"""The kiosk under quick fingers and on a bad day: no tap is lost, and everything leads back."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from tests.clock import PATIENCE_SECONDS
from tests.e2e.service import Service
from tests.e2e.watched import Screens, expect_state

TIMES = "\N{MULTIPLICATION SIGN}"


@pytest.fixture
def service(moved_service: Service) -> Service:
    """The service whose clock can be moved: these files need no other one beside it."""
    return moved_service


@pytest.fixture
def wall(service: Service, screens: Screens) -> Page:
    """A kiosk's wall."""
    page = screens.tv(service)
    page.goto(f"{service.url}/kiosk/demo")
    return page


@pytest.fixture
def slow(wall: Page) -> Iterator[list[Route]]:
    """Hold what the wall sends until the test lets it go on."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        if route.request.method == "POST":
            held.append(route)
        else:
            route.continue_()

    wall.route("**/kiosk/**", hold)
    yield held
    wall.unroute("**/kiosk/**")


def let_go(wall: Page, held: list[Route], number: int) -> None:
    """Wait until so many requests were sent in all, and let the last one go on."""
    for _ in range(PATIENCE_SECONDS * 100):
        if len(held) >= number:
            break
        wall.wait_for_timeout(10)
    assert len(held) == number
    held[-1].continue_()


def test_quick_taps_all_count(wall: Page, slow: list[Route]) -> None:
    tiles = wall.locator("button.tile:enabled")
    for number in (0, 0, 1, 0, 1):
        tiles.nth(number).click()

    for number in range(1, 6):  # one after the other
        let_go(wall, slow, number)

    expect(tiles.nth(0).locator(".count")).to_have_text(f"3{TIMES}")
    expect(tiles.nth(1).locator(".count")).to_have_text(f"2{TIMES}")
    expect(wall.locator(".tray .sum")).to_contain_text("5 Artikel")


def test_the_code_is_shown_after_what_was_tapped_before_it(wall: Page, slow: list[Route]) -> None:
    tiles = wall.locator("button.tile:enabled")
    tiles.nth(0).click()
    let_go(wall, slow, 1)
    expect(tiles.nth(0).locator(".count")).to_have_text(f"1{TIMES}")
    tiles.nth(1).click()
    wall.get_by_role("button", name="Code zeigen").click()

    let_go(wall, slow, 2)
    let_go(wall, slow, 3)

    expect(wall).to_have_url(re.compile(r"/tv/"))
    expect(wall.locator(".transfer .sum")).to_contain_text("2 Artikel")


def test_two_taps_on_the_code_ask_for_one(wall: Page, slow: list[Route]) -> None:
    wall.locator("button.tile:enabled").first.click()
    let_go(wall, slow, 1)
    expect(wall.locator(".mini")).to_have_count(1)
    code = wall.get_by_role("button", name="Code zeigen")
    code.click()
    code.click()
    let_go(wall, slow, 2)

    expect(wall).to_have_url(re.compile(r"/tv/"))
    assert len(slow) == 2


def test_who_moves_on_while_the_server_works_stays_there(wall: Page, slow: list[Route]) -> None:
    tiles = wall.locator(".tile")
    tiles.nth(1).focus()
    wall.keyboard.press("Enter")
    wall.keyboard.press("ArrowRight")
    expect(tiles.nth(2)).to_be_focused()

    let_go(wall, slow, 1)

    expect(tiles.nth(1).locator(".count")).to_have_text(f"1{TIMES}")
    expect(tiles.nth(2)).to_be_focused()


def test_a_lost_network_is_told_and_what_waited_is_not_sent_later(
    wall: Page, screens: Screens
) -> None:
    lost: list[str] = []

    def lose(route: Route) -> None:
        lost.append(route.request.url)
        route.abort()

    tiles = wall.locator("button.tile:enabled")
    wall.route("**/kiosk/**", lose)
    for number in (0, 1):
        tiles.nth(number).click()
    expect(wall.get_by_text("Keine Verbindung.")).to_be_visible()
    wall.unroute("**/kiosk/**")
    screens.wrong = [wrong for wrong in screens.wrong if "ERR_FAILED" not in wrong]

    tiles.nth(2).click()

    expect(wall.locator(".mini")).to_have_count(1)
    expect(wall.get_by_text("Keine Verbindung.")).to_be_hidden()


def test_an_outdated_wall_says_so_and_one_key_leads_to_a_fresh_one(
    service: Service, screens: Screens, wall: Page
) -> None:
    screens.allow_refusal(403)
    length = wall.evaluate("history.length")
    for field in wall.locator("form:has(button.tile) [name=csrf]").all():
        field.evaluate("field => { field.value = 'of an older session'; }")
    wall.locator("button.tile:enabled").first.click()
    expect(wall.get_by_role("heading", level=1)).to_have_text("Bitte noch einmal")
    expect(wall.get_by_role("link", name="Zum Anfang")).to_be_focused()

    wall.keyboard.press("Enter")

    expect(wall.get_by_role("heading", level=1)).to_have_text("Such dir etwas aus")
    wall.wait_for_load_state()  # without its script, the page sends the form itself
    wall.locator("button.tile:enabled").first.click()
    expect(wall.locator(".mini")).to_have_count(1)
    assert wall.evaluate("history.length") == length


def test_an_error_that_nobody_answers_leads_back_by_itself(
    service: Service, screens: Screens
) -> None:
    page = screens.tv(service)
    page.clock.install()
    screens.allow_refusal(404)
    page.goto(f"{service.url}/kiosk/demo/nowhere")
    expect(page.get_by_role("heading", level=1)).to_have_text("Hier ist nichts")

    page.clock.run_for(21_000)

    expect(page).to_have_url(f"{service.url}/kiosk/demo")


def test_a_kiosk_that_could_not_forget_goes_back_to_the_wall_by_itself(
    service: Service, screens: Screens
) -> None:
    page = screens.tv(service)
    page.clock.install()
    screens.allow_refusal(403)
    page.goto(f"{service.url}/kiosk/demo")
    page.locator("button.tile:enabled").first.click()
    expect(page.locator(".mini")).to_have_count(1)
    page.context.clear_cookies()
    page.clock.run_for(61_000)
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "Dein Browser hat kein Cookie mitgeschickt"
    )

    page.clock.run_for(21_000)

    expect(page.get_by_role("heading", level=1)).to_have_text("Such dir etwas aus")
    expect(page.locator(".mini")).to_have_count(0)


def test_an_error_of_a_proxy_leaves_the_wall_where_it_is(wall: Page, screens: Screens) -> None:
    screens.allow_refusal(502)
    tiles = wall.locator("button.tile:enabled")
    wall.route("**/kiosk/**", lambda route: route.fulfill(status=502, body="<h1>Bad</h1>"))
    tiles.first.click()
    expect(wall.get_by_text("Keine Verbindung.")).to_be_visible()
    wall.unroute("**/kiosk/**")

    tiles.first.click()

    expect(wall.locator(".mini")).to_have_count(1)
    expect(wall.get_by_text("Keine Verbindung.")).to_be_hidden()

    # The login page of a network says 200, also to a link that would lead on.
    wall.route("**/kiosk/**", lambda route: route.fulfill(body="<main>Welcome to our Wi-Fi</main>"))
    for control in (wall.get_by_role("link", name="English"), tiles.first):
        control.click()
        expect(wall.get_by_text("Keine Verbindung.")).to_be_visible()
    wall.unroute("**/kiosk/**")

    tiles.first.click()

    expect(wall.get_by_text("Keine Verbindung.")).to_be_hidden()
    expect(tiles.first.locator(".count")).to_have_text(f"2{TIMES}")


def test_a_new_code_can_be_asked_for_again_after_a_lost_network(
    moved_service: Service, screens: Screens
) -> None:
    page = screens.tv(moved_service)
    page.clock.install()
    page.goto(f"{moved_service.url}/kiosk/demo")
    page.locator("button.tile:enabled").first.click()
    page.get_by_role("button", name="Code zeigen").click()
    expect_state(page, "pending")
    page.wait_for_load_state()  # its picture, too, which is gone with the minute
    address = page.url
    moved_service.move_clock(60)
    page.clock.run_for(2_000)
    expect_state(page, "expired")
    button = page.get_by_role("button", name="Neuer Code")
    page.route("**/tv/*", lambda route: route.abort())
    button.click()
    expect(page.get_by_text("Keine Verbindung.")).to_be_visible()
    page.unroute("**/tv/*")
    screens.wrong = [wrong for wrong in screens.wrong if "ERR_FAILED" not in wrong]

    button.click()

    expect_state(page, "pending")
    assert page.url != address


def test_a_tap_on_a_wall_that_is_being_left_is_not_sent(wall: Page, slow: list[Route]) -> None:
    wall.evaluate(
        "document.getElementById('next').click();"
        " document.querySelector('button.tile:enabled').click()"
    )

    expect(wall.locator(".pager")).to_contain_text("2 /")
    assert slow == []


def test_a_hand_made_pick_of_a_product_with_sizes_leads_to_the_choice(
    service: Service, wall: Page
) -> None:
    tile = wall.locator("a.tile").first
    product = re.search(r"product=([^&]+)", tile.get_attribute("href") or "")
    assert product is not None
    wall.evaluate(
        "id => { const field = document.querySelector('.tiles input[name=product_id]');"
        " field.value = decodeURIComponent(id); field.form.submit(); }",
        product[1],
    )

    expect(wall.get_by_role("heading", name="Welche Größe?")).to_be_visible()
    wall.get_by_role("link", name="Zurück").click()
    expect(wall.locator(".mini")).to_have_count(0)


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080)], ids=str)
def test_tiles_that_lead_on_and_tiles_that_pick_look_alike(
    wall: Page, size: tuple[int, int]
) -> None:
    wall.set_viewport_size({"width": size[0], "height": size[1]})
    inside = """tile => ['.pic', '.name', '.price'].map(part => {
        const outer = tile.getBoundingClientRect();
        const box = tile.querySelector(part).getBoundingClientRect();
        return [box.top - outer.top, box.left - outer.left, box.width].map(Math.round);
    })"""

    link, press = (wall.locator(kind).first.evaluate(inside) for kind in ("a.tile", "button.tile"))

    assert link == press
