"""``/docs``: everything that can be tried out works as it stands, from the top down."""

from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.actors import Caller
from tests.e2e.service import Service
from tests.e2e.tour import axe
from tests.e2e.watched import Screens

EXECUTE_ALL = """
async (left_out) => {
  const until = (find) => new Promise(done => {
    const look = () => find() ? done(find()) : setTimeout(look, 20);
    look();
  });
  const found = {};
  for (const block of document.querySelectorAll('.opblock')) {
    const summary = block.querySelector('.opblock-summary-control');
    const path = block.querySelector('.opblock-summary-path').textContent.replace(/\u200b/g, '');
    if (left_out.some(end => path.endsWith(end))) continue;
    summary.click();
    // The operation can be sent once its documented answers are there.
    await until(() => block.querySelector('.responses-inner .response'));
    const execute = await until(() => block.querySelector('button.execute'));
    const filled = [...block.querySelectorAll('tr')].filter(row =>
      /[(]header[)]/.test(row.textContent) && !row.querySelector('.required')
      && (row.querySelector('input, select') || {}).value);
    execute.click();
    const status = await until(() => block.querySelector('.live-responses-table tbody td'));
    found[summary.innerText] = filled.length ? 'filled in' : status.textContent.slice(0, 3);
    summary.click();
  }
  return found;
}
"""
"""Opens each operation, presses its button and returns the status of each."""


LEFT_OUT = {
    "/checkout/sessions/pay": "needs a stored payment, and the amount that was shown",
    "/shops/orders/{partNo}": "needs an order that was paid",
    "/shops/orders/{partNo}/refunds": "as above",
    "/shops/pictures/{sku}/{position}": "needs a file",
}
"""Operations that no example can stand for, and why."""


def execute_all(page: Page) -> dict[str, str]:
    expect(page.locator(".opblock").first).to_be_visible()
    found: dict[str, str] = page.evaluate(EXECUTE_ALL, list(LEFT_OUT))
    return found


@pytest.mark.timeout(400)
def test_each_operation_works_as_it_is_filled_in(service: Service, screens: Screens) -> None:
    page = screens.tv(service)
    page.goto(f"{service.url}/docs")

    done = execute_all(page)
    page.locator(".topbar select").select_option(label="Product Data API")
    expect(page.locator(".info .title")).to_contain_text("Product Data API")
    done |= execute_all(page)

    assert {name: status for name, status in done.items() if status != "200"} == {}
    anybody = Caller(service, "")
    paths = [
        item
        for api in ("/v2", "/v1")
        for path, item in anybody.call("GET", f"{api}/openapi.json").json()["paths"].items()
        if not path.endswith(tuple(LEFT_OUT))
    ]
    assert len(done) == sum(len(item.keys() - {"parameters"}) for item in paths)


# The page hears of the change a moment later, and its colours then fade into the new ones.
IS_SHADED = """scheme => document.getAnimations().length === 0
  && document.documentElement.classList.contains("dark-mode") === (scheme === "dark")"""


def test_axe_finds_nothing_in_light_or_dark_with_an_answer_open(
    service: Service, screens: Screens
) -> None:
    page = screens.tv(service)
    page.goto(f"{service.url}/docs")
    expect(page.locator(".opblock").first).to_be_visible()
    page.locator(".opblock-summary-control").nth(1).click()
    page.locator("button.execute").click()
    expect(page.locator(".live-responses-table tbody td").first).to_be_visible()

    schemes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function(IS_SHADED, arg=scheme)
        assert axe(page) == [], scheme
